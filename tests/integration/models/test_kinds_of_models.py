"""The kinds of models, with small real models: which kind each is accepted as, and which it is refused as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.adapters.sentence_transformers.cross_encoder import StCrossEncoder
from rag.adapters.sentence_transformers.embedder import StEmbedder
from rag.adapters.sentence_transformers.multi_vector.late_interaction import LateInteraction, TokenVectorCache
from rag.adapters.sentence_transformers.multi_vector.token_vectors import SPECIAL
from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from rag.adapters.sentence_transformers.sparse import StSparseEmbedder
from rag.config import EmbedderSettings
from rag.errors import InvalidRequest, SetupError
from tests.support.models.small_models import (
    a_cross_encoder,
    a_masked_language_model,
    a_splade,
    a_static_encoder,
    a_static_sparse_encoder,
    embedded_encoder,
)

pytestmark = pytest.mark.integration

CPU = EmbedderSettings(device="cpu", threads=1)
PAIRS = ["The zebra eats grass.", "Rows are stored.", ""]


def raw_scores(folder: str, query: str, texts: list[str]) -> list[float]:
    """The logits as computed by transformers alone."""
    import torch
    import transformers

    library: Any = transformers
    tokenizer = library.AutoTokenizer.from_pretrained(folder)
    model = library.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = [model(**tokenizer(query, text, return_tensors="pt")).logits.item() for text in texts]
    return [float(score) for score in logits]


# Kinds of models


async def test_a_bi_encoder_is_refused_as_any_other_kind(tmp_path: Path) -> None:
    for model_class, option in (
        (StSparseEmbedder, "RAG_EMBEDDER__SPARSE_MODEL"),
        (StCrossEncoder, "RAG_RERANK__MODEL"),
    ):
        with pytest.raises(SetupError, match=f"{option}: mini is not a .* but SentenceTransformer"):
            model_class(embedded_encoder(), "mini", CPU, ComputeScheduler())


async def test_a_sparse_encoder_is_refused_as_any_other_kind(tmp_path: Path) -> None:
    folder = a_static_sparse_encoder(tmp_path / "static")
    with pytest.raises(SetupError, match="RAG_EMBEDDER__MODEL: static is a SparseEncoder"):
        StEmbedder(folder, CPU.model_copy(update={"model": "static"}), ComputeScheduler())
    for model in (folder, a_masked_language_model(tmp_path / "masked"), a_splade(tmp_path / "splade")):
        with pytest.raises(SetupError, match="RAG_RERANK__MODEL: it is not a cross-encoder"):
            StCrossEncoder(model, "it", CPU, ComputeScheduler())


async def test_a_cross_encoder_is_refused_as_a_sparse_encoder(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"RAG_EMBEDDER__SPARSE_MODEL: .* but BertForSequenceClassification"):
        StSparseEmbedder(a_cross_encoder(tmp_path), "it", CPU, ComputeScheduler())


async def test_a_model_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    for content in ("{}", "[]", "not json", '{"architectures": null}'):
        (tmp_path / "config.json").write_text(content)
        for model_class in (StSparseEmbedder, StCrossEncoder):
            with pytest.raises(SetupError, match="of unknown kind"):
                model_class(str(tmp_path), "it", CPU, ComputeScheduler())


async def test_a_classifier_is_refused_as_a_reranker(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="RAG_RERANK__MODEL: it has 3 outputs"):
        StCrossEncoder(a_cross_encoder(tmp_path, labels=3), "it", CPU, ComputeScheduler())


# Scores of cross-encoders


@pytest.mark.parametrize("activation", [None, "torch.nn.Sigmoid", "torch.nn.Identity", "torch.nn.Tanh"])
async def test_scores_are_the_sigmoid_of_the_logits(tmp_path: Path, activation: str | None) -> None:
    folder = a_cross_encoder(tmp_path, activation=activation, scale=100)
    scores = await StCrossEncoder(folder, "it", CPU, ComputeScheduler()).rerank("What do zebras eat?", PAIRS)
    logits = np.array(raw_scores(folder, "What do zebras eat?", PAIRS))
    assert scores == pytest.approx(1 / (1 + np.exp(-logits)), abs=1e-4)


async def test_the_models_own_activation_is_used_if_its_range_is_0_to_1(tmp_path: Path) -> None:
    folder = a_cross_encoder(tmp_path, activation="torch.nn.Hardsigmoid")
    scores = await StCrossEncoder(folder, "it", CPU, ComputeScheduler()).rerank("What do zebras eat?", PAIRS)
    logits = np.array(raw_scores(folder, "What do zebras eat?", PAIRS))
    assert scores == pytest.approx(np.clip(logits / 6 + 0.5, 0, 1), abs=1e-4)


async def test_a_cross_encoder_saved_by_sentence_transformers_gives_the_same_scores(tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    plain = a_cross_encoder(tmp_path / "plain", scale=100)
    CrossEncoder(plain, device="cpu").save_pretrained(str(tmp_path / "saved"))
    first, second = (StCrossEncoder(str(tmp_path / name), name, CPU, ComputeScheduler()) for name in ("plain", "saved"))
    assert await first.rerank("zebra", PAIRS) == pytest.approx(await second.rerank("zebra", PAIRS))


# Tokens of a bi-encoder


async def test_special_tokens_are_kept_for_queries_and_dropped_for_passages() -> None:
    encoder = StEmbedder(embedded_encoder(), CPU, ComputeScheduler())
    (query,), (passage,) = [await encoder.encode_tokens(["zebra grass"], kind) for kind in ("query", "passage")]
    assert list(query.ids) == [SPECIAL, 29145, 5568, SPECIAL]
    assert list(passage.ids) == [29145, 5568]
    np.testing.assert_array_equal(query.vectors[1:3], passage.vectors)
    np.testing.assert_allclose(np.linalg.norm(query.vectors.astype(float), axis=1), 1, atol=2e-3)


async def test_tokens_of_the_prefix_are_dropped() -> None:
    settings = CPU.model_copy(update={"query_prefix": "query: ", "passage_prefix": "passage: "})
    encoder = StEmbedder(embedded_encoder(), settings, ComputeScheduler())
    (query,), (passage,) = [await encoder.encode_tokens(["zebra grass"], kind) for kind in ("query", "passage")]
    assert list(query.ids) == [SPECIAL, 29145, 5568, SPECIAL]
    assert list(passage.ids) == [29145, 5568]
    assert np.abs(query.vectors[1:3] - passage.vectors).max() > 1e-3  # the prefix was there


async def test_encoding_tokens_does_not_change_dense_vectors() -> None:
    encoder = StEmbedder(embedded_encoder(), CPU, ComputeScheduler())
    long = "a text of many words that is far too long to be read to its end " * 40
    before = await encoder.encode([long, "short"], "passage")
    tokens = await encoder.encode_tokens([long, "short"], "passage")
    assert [len(one.ids) for one in tokens] == [254, 1]
    np.testing.assert_allclose(await encoder.encode([long, "short"], "passage"), before, atol=1e-5)


async def test_an_encoder_without_token_vectors_is_refused_for_late_interaction(tmp_path: Path) -> None:
    settings = CPU.model_copy(update={"model": "static", "query_prefix": "query: "})
    turn = ComputeScheduler()
    encoder = StEmbedder(a_static_encoder(tmp_path), settings, turn)
    assert (await encoder.encode(["zebra"], "query")).shape == (1, 16)
    with pytest.raises(InvalidRequest, match=r"'static' has no token vectors.*RAG_RERANK__KIND"):
        await LateInteraction(encoder, TokenVectorCache(2**20), turn).rerank("zebra", ["text"])
