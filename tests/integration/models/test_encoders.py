"""Two real encoders side by side: the embedded one, and a smaller model made of its first three layers."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.adapters import model_files
from rag.adapters.sentence_transformers.embedder import StEmbedder
from rag.adapters.sentence_transformers.encoders import Encoders
from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from rag.config import EMBEDDED_ENCODER, EmbedderSettings, Settings
from rag.errors import ModelNotFound

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def embedded() -> str:
    return model_files.embedder_folder(Settings())


@pytest.fixture(scope="module")
def small(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    from sentence_transformers import SentenceTransformer

    folder = str(tmp_path_factory.mktemp("models") / "small")
    model: Any = SentenceTransformer(embedded, device="cpu", prompts={"query": "question: "})
    bert = model[0].auto_model
    bert.encoder.layer = bert.encoder.layer[:3]
    bert.config.num_hidden_layers = 3
    model.save(folder)
    return folder


@pytest.fixture
def scheduler() -> ComputeScheduler:
    return ComputeScheduler()


@pytest.fixture
def encoders(embedded: str, scheduler: ComputeScheduler) -> Encoders[StEmbedder]:
    settings = EmbedderSettings(device="cpu")

    def load(model: str) -> StEmbedder:
        model_settings = settings.model_copy(update={"model": model})
        return StEmbedder(model_files.embedder_folder(Settings(embedder=model_settings)), model_settings, scheduler)

    return Encoders(StEmbedder(embedded, settings, scheduler), load)


async def test_two_models_have_their_own_prompts_and_vectors(encoders: Encoders[StEmbedder], small: str) -> None:
    small_encoder = await encoders.named(small)
    assert (encoders.default.model_name, small_encoder.model_name) == (EMBEDDED_ENCODER, small)
    assert small_encoder.dimensions == 384
    texts = ["What is Milvus?", "a much longer text " * 20]
    passages = asyncio.create_task(small_encoder.encode(texts * 10, "passage"))
    default_vectors, small_vectors = (
        await encoders.default.encode(texts, "query"),
        await small_encoder.encode(texts, "query"),
    )
    np.testing.assert_allclose(np.linalg.norm(small_vectors, axis=1), 1, atol=1e-5)
    assert (np.sum(default_vectors * small_vectors, axis=1) < 0.9).all()
    prefixed = await small_encoder.encode([f"question: {text}" for text in texts], "passage")
    np.testing.assert_allclose(small_vectors, prefixed, atol=1e-4)
    plain = await small_encoder.encode(texts, "passage")
    np.testing.assert_allclose((await passages)[:2], plain, atol=1e-4)


async def test_questions_do_not_wait_for_passages(encoders: Encoders[StEmbedder], scheduler: ComputeScheduler) -> None:
    computing, may_finish = threading.Event(), threading.Event()
    embedder = encoders.default

    def compute() -> bool:
        computing.set()
        return may_finish.wait(120)

    computation = asyncio.create_task(scheduler.passages(compute))
    await asyncio.to_thread(computing.wait, 120)
    passages = asyncio.create_task(embedder.encode(["a passage"], "passage"))
    assert (await asyncio.wait_for(embedder.encode(["a question"], "query"), 120)).shape == (1, 384)
    assert not passages.done()
    may_finish.set()
    assert (await passages).shape == (1, 384)
    assert await computation


async def test_texts_of_similar_numbers_of_tokens_are_encoded_together(encoders: Encoders[StEmbedder]) -> None:
    shapes: list[tuple[int, int]] = []
    hook = encoders.default._model.register_forward_pre_hook(
        lambda _, inputs: shapes.append(tuple(inputs[0]["input_ids"].shape))
    )
    words, marks = ["word " * 20] * 8, ["!" * 78] * 8  # more characters, but fewer tokens
    mixed = [text for pair in zip(words, marks, strict=True) for text in pair]
    try:
        for kind in ("passage", "query"):
            await encoders.default.encode(mixed, kind)
        await encoders.default.encode_tokens(mixed[:8], "passage")
    finally:
        hook.remove()
    of_passages, of_questions, of_candidates = shapes[:2], shapes[2:4], shapes[4:]
    assert sorted(of_passages) == [(8, 22), (8, 80)]
    assert sorted(of_questions) == [(8, 22), (8, 80)]
    assert sorted(of_candidates) == [(4, 22), (4, 80)]


async def test_a_folder_without_a_model_is_refused(encoders: Encoders[StEmbedder], small: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"config\.json is missing"):
        await encoders.named(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelNotFound, match="could not be loaded"):
        await encoders.named(str(tmp_path))
    assert (await encoders.default.encode(["still there"], "query")).shape == (1, 384)
