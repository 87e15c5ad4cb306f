"""Texts are encoded in bfloat16 on CPUs that have instructions for it, if their vectors stay the same."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from rag.adapters.sentence_transformers import embedder as embedder_module
from rag.adapters.sentence_transformers.bfloat16 import in_bfloat16
from rag.adapters.sentence_transformers.embedder import StEmbedder
from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from rag.config import EmbedderSettings
from rag.ports import Vectors
from tests.support.models.small_models import embedded_encoder

pytestmark = pytest.mark.integration
TEXTS = ["Gulls drink salt water.", "The owl turns its head by 270 degrees. " * 20, "## Zebras\n\n- eat *grass*", ""]


@pytest.fixture(autouse=True, scope="module")
def _cpu_with_instructions() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedder_module, "has_bfloat16", lambda: True)
        yield


@functools.cache
def encoder(**settings: Any) -> StEmbedder:
    chosen = EmbedderSettings(device="cpu", threads=1, **settings)
    return StEmbedder(embedded_encoder(), chosen, ComputeScheduler(2, passages_at_once=2))


async def all_vectors(embedder: StEmbedder) -> Vectors:
    """Of questions, of clients' texts, of documents and of token ids."""
    ids = [[2054, 2003], [1037]]
    return np.concatenate(
        [
            await embedder.encode(TEXTS, "query"),
            await embedder.encode(TEXTS, "passage"),
            await embedder.encode(TEXTS, "passage", store_token_vectors=True),
            await embedder.encode(ids, "passage"),
        ]
    )


async def test_the_vectors_in_bfloat16_are_those_of_float32(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="rag.embedder"):
        faster, exact = await all_vectors(encoder()), await all_vectors(encoder(dtype="float32"))
    assert caplog.text.count("texts are encoded in bfloat16") == 1
    assert (np.sum(faster * exact, axis=1) >= 0.9999).all()
    assert (np.abs(faster - exact).max(axis=1) > 1e-6).all(), "not all were encoded in bfloat16"
    np.testing.assert_allclose(np.linalg.norm(faster, axis=1), 1, atol=1e-5)
    assert faster.dtype == np.float32


async def test_token_vectors_in_bfloat16_are_those_of_float32() -> None:
    for kind in ("query", "passage"):
        faster, exact = [await each.encode_tokens(TEXTS, kind) for each in (encoder(), encoder(dtype="float32"))]
        for ours, theirs in zip(faster, exact, strict=True):
            np.testing.assert_array_equal(ours.ids, theirs.ids)
            assert (np.sum(ours.vectors.astype(float) * theirs.vectors.astype(float), axis=1) >= 0.999).all()


def test_a_model_whose_vectors_would_change_stays_in_float32(caplog: pytest.LogCaptureFixture) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(embedded_encoder(), device="cpu")
    with caplog.at_level(logging.INFO, logger="rag.embedder"):
        assert in_bfloat16(model, "mini", least_cosine=1.1) is model
    assert "mini: texts are encoded in float32: in bfloat16, the cosine with it is 0.9" in caplog.text
    half = model.half()
    assert in_bfloat16(half, "mini") is half
