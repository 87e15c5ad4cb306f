"""Two real encoders side by side: the embedded one, and its first three layers as a model of its own."""

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
def turn() -> ComputeScheduler:
    return ComputeScheduler()


@pytest.fixture
def encoders(embedded: str, turn: ComputeScheduler) -> Encoders[StEmbedder]:
    settings = EmbedderSettings(device="cpu")

    def load(model: str) -> StEmbedder:
        own = settings.model_copy(update={"model": model})
        return StEmbedder(model_files.embedder_folder(Settings(embedder=own)), own, turn)

    return Encoders(StEmbedder(embedded, settings, turn), load)


async def test_two_models_answer_each_in_its_own_way(encoders: Encoders[StEmbedder], small: str) -> None:
    other = await encoders.named(small)
    assert (encoders.default.model_name, other.model_name) == (EMBEDDED_ENCODER, small)
    assert other.dimensions == 384
    texts = ["What is Milvus?", "a much longer text " * 20]
    passages = asyncio.create_task(other.encode(texts * 10, "passage"))
    mine, its = await encoders.default.encode(texts, "query"), await other.encode(texts, "query")
    np.testing.assert_allclose(np.linalg.norm(its, axis=1), 1, atol=1e-5)
    assert (np.sum(mine * its, axis=1) < 0.9).all()
    prefixed = await other.encode([f"question: {text}" for text in texts], "passage")
    np.testing.assert_allclose(its, prefixed, atol=1e-4)
    plain = await other.encode(texts, "passage")
    np.testing.assert_allclose((await passages)[:2], plain, atol=1e-4)


async def test_questions_do_not_wait_for_passages(encoders: Encoders[StEmbedder], turn: ComputeScheduler) -> None:
    begun, going = threading.Event(), threading.Event()
    embedder = encoders.default

    def compute() -> bool:
        begun.set()
        return going.wait(120)

    at_work = asyncio.create_task(turn.passages(compute))
    await asyncio.to_thread(begun.wait, 120)
    passages = asyncio.create_task(embedder.encode(["a passage"], "passage"))
    assert (await asyncio.wait_for(embedder.encode(["a question"], "query"), 120)).shape == (1, 384)
    assert not passages.done()
    going.set()
    assert (await passages).shape == (1, 384)
    assert await at_work


async def test_a_folder_that_holds_no_model(encoders: Encoders[StEmbedder], small: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"config\.json is missing"):
        await encoders.named(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelNotFound, match="could not be loaded"):
        await encoders.named(str(tmp_path))
    assert (await encoders.default.encode(["still there"], "query")).shape == (1, 384)
