"""Documents are encoded in bfloat16 on CPUs that have instructions for it, if their vectors stay the same."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from rag.adapters.sentence_transformers import document_passages
from rag.adapters.sentence_transformers.bfloat16 import bfloat16_copy
from rag.adapters.sentence_transformers.embedder import StEmbedder
from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from rag.config import EmbedderSettings
from tests.support.models.small_models import embedded_encoder

pytestmark = pytest.mark.integration
PASSAGES = ["Gulls drink salt water.", "The owl turns its head by 270 degrees. " * 20, "## Zebras\n\n- eat *grass*", ""]


@pytest.fixture
def embedder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> StEmbedder:
    """An encoder with these settings, as if the CPU had the instructions."""
    monkeypatch.setattr(document_passages, "has_bfloat16", lambda: True)
    settings = EmbedderSettings(device="cpu", threads=1, **getattr(request, "param", {}))
    return StEmbedder(embedded_encoder(), settings, ComputeScheduler(2, passages_at_once=2))


async def test_documents_in_bfloat16_have_the_vectors_of_float32(
    embedder: StEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="rag.embedder"):
        documents = await embedder.encode(PASSAGES, "passage", store_token_vectors=True)
    assert caplog.text.count("documents are encoded in bfloat16") == 1
    plain = await embedder.encode(PASSAGES, "passage")
    cosines = np.sum(documents * plain, axis=1)
    assert (cosines >= 0.9999).all()
    assert not np.allclose(documents, plain, atol=1e-6), "they were not encoded in bfloat16"
    np.testing.assert_allclose(np.linalg.norm(documents, axis=1), 1, atol=1e-5)


async def test_everything_else_stays_in_float32(embedder: StEmbedder) -> None:
    before = [await embedder.encode(PASSAGES, kind) for kind in ("query", "passage")]
    await embedder.encode(PASSAGES, "passage", store_token_vectors=True)
    after = [await embedder.encode(PASSAGES, kind) for kind in ("query", "passage")]
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("embedder", [{"ingest_dtype": "float32"}], indirect=True)
async def test_the_setting_float32_is_kept(embedder: StEmbedder) -> None:
    documents, plain = [await embedder.encode(PASSAGES, "passage", store_token_vectors=keep) for keep in (True, False)]
    np.testing.assert_allclose(documents, plain, atol=1e-6)


def test_a_model_whose_vectors_would_change_stays_in_float32(caplog: pytest.LogCaptureFixture) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(embedded_encoder(), device="cpu")
    with caplog.at_level(logging.INFO, logger="rag.embedder"):
        assert bfloat16_copy(model, "mini", least_cosine=1.1) is None
    assert "mini: documents are encoded in float32: in bfloat16, the cosine with it is 0.9" in caplog.text
    assert bfloat16_copy(model.half(), "mini") is None
