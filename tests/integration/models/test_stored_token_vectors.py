"""Ingest stores the token vectors of passages; late interaction reads them instead of encoding the passages again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from rag.adapters.sentence_transformers.embedder import StEmbedder
from rag.adapters.sentence_transformers.multi_vector.late_interaction import LateInteraction, TokenVectorCache
from rag.adapters.sentence_transformers.multi_vector.token_vector_file import TokenVectorFile
from rag.adapters.sentence_transformers.multi_vector.token_vectors import TokenVectors
from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from rag.config import EmbedderSettings
from rag.types import TextKind
from tests.support.models.small_models import embedded_encoder

PASSAGES = [
    "The owl turns its head by 270 degrees.",
    "Gulls drink salt water; a gland above the eyes removes the salt.",
    "",
    "The vector database stores rows in segments, which are merged later. " * 20,
]


class QueriesOnly:
    """A token encoder that must not be asked for passages."""

    def __init__(self, embedder: StEmbedder) -> None:
        self._embedder = embedder
        self.model_name = embedder.model_name

    async def encode_tokens(self, texts: Sequence[str], kind: TextKind) -> list[TokenVectors]:
        assert kind == "query", f"{texts} are encoded again"
        return await self._embedder.encode_tokens(texts, kind)


@pytest.fixture
def token_file(tmp_path: Path) -> Iterator[TokenVectorFile]:
    file = TokenVectorFile(tmp_path / "token_vectors.db", 2**20)
    yield file
    file.close()


@pytest.fixture
def embedder(token_file: TokenVectorFile) -> StEmbedder:
    settings = EmbedderSettings(device="cpu", threads=1, passage_prefix="passage: ")
    return StEmbedder(embedded_encoder(), settings, ComputeScheduler(), token_file)


async def test_stored_vectors_rank_as_new_ones_do(embedder: StEmbedder, token_file: TokenVectorFile) -> None:
    await embedder.encode(PASSAGES, "passage", store_token_vectors=True)
    scheduler = ComputeScheduler()
    reading = LateInteraction(QueriesOnly(embedder), TokenVectorCache(0), scheduler, token_file)
    encoding = LateInteraction(embedder, TokenVectorCache(0), scheduler)
    for question in ("Who drinks salt water?", "How far does an owl turn its head?", "Where are rows stored?"):
        read, encoded = await reading.rerank(question, PASSAGES), await encoding.rerank(question, PASSAGES)
        assert np.argmax(read) == np.argmax(encoded)
        np.testing.assert_allclose(read, encoded, atol=0.1)


async def test_the_vectors_of_passages_are_the_same(embedder: StEmbedder) -> None:
    stored, plain = [await embedder.encode(PASSAGES, "passage", store_token_vectors=keep) for keep in (True, False)]
    assert (np.sum(stored * plain, axis=1) >= 0.9999).all()


async def test_only_passages_of_documents_are_stored(embedder: StEmbedder, token_file: TokenVectorFile) -> None:
    await embedder.encode(["a text of a client"], "passage")
    await embedder.encode(["a question"], "query", store_token_vectors=True)
    assert token_file.find(embedder.model_name, ["a text of a client", "a question"]) == {}
