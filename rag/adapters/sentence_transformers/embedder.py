"""A sentence-transformers bi-encoder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from rag.adapters.sentence_transformers.bfloat16 import has_bfloat16, in_bfloat16
from rag.adapters.sentence_transformers.model_kind import declared_kind
from rag.adapters.sentence_transformers.multi_vector.token_vector_file import TokenVectorFile
from rag.adapters.sentence_transformers.multi_vector.token_vector_reader import TokenVectorReader
from rag.adapters.sentence_transformers.multi_vector.token_vectors import TokenVectors
from rag.adapters.sentence_transformers.scheduler import (
    THREADS_PER_SLICE,
    ComputeScheduler,
    candidates_at_once,
    in_original_order,
    passage_tokens,
    slices_by_length,
    texts_at_once,
)
from rag.adapters.sentence_transformers.tokenization.token_ids import StTokenIds, are_ids
from rag.adapters.sentence_transformers.tokenization.windows import mean_vectors
from rag.config import EMBEDDED_ENCODER, EmbedderSettings
from rag.errors import SetupError
from rag.ports import Vectors
from rag.types import LongTexts, TextKind, TokenCounts, TokenIds

PREFIXES: Mapping[str, tuple[str, str]] = {
    "bge-small-en": ("Represent this sentence for searching relevant passages: ", ""),
    "bge-base-en": ("Represent this sentence for searching relevant passages: ", ""),
    "bge-large-en": ("Represent this sentence for searching relevant passages: ", ""),
    "e5-": ("query: ", "passage: "),
    "nomic-embed-text": ("search_query: ", "search_document: "),
}
"""Query and passage prefixes that the model cards ask for, for models whose files may not contain them."""


class StEmbedder:
    """Encodes texts and token ids into dense vectors. Implements `rag.ports.Embedder`.

    Args:
        folder: Folder or hub id of the model.
        settings: The `embedder` section.
        scheduler: Runs the computation; shared by all models of a process.
        token_file: Where the token vectors of documents' passages are stored.
    """

    def __init__(
        self,
        folder: str,
        settings: EmbedderSettings,
        scheduler: ComputeScheduler,
        token_file: TokenVectorFile | None = None,
    ) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        self._torch = torch
        self._scheduler = scheduler
        self._name = settings.model or EMBEDDED_ENCODER
        _refuse_other_kinds(folder, self._name)
        self._model: Any = SentenceTransformer(folder, device=settings.device)
        if settings.dtype == "auto" and self._model.device.type == "cpu" and has_bfloat16():
            self._model = in_bfloat16(self._model, self._name)
        self._prefixes = self._choose_prefixes(settings)
        self._texts_at_once = texts_at_once(settings, self._model.device.type)
        self._passage_tokens = passage_tokens(self._model.device.type)
        self._batch_size = settings.batch_size
        self._candidates_at_once = candidates_at_once(settings, self._model.device.type)
        self._tokens = TokenVectorReader(self._model, self._name, self._prefixes)
        self._token_file = token_file if self._tokens.has_any else None
        self._ids = StTokenIds(self._model, self._name, self._prefixes)
        # Configures the tokenizer, which must not happen while another thread uses it (docs/bentoml_issues.md#o2).
        self._run_model(["ready"])

    @property
    def model_name(self) -> str:
        return self._name

    @property
    def dimensions(self) -> int:
        return int(self._model.get_embedding_dimension())

    async def encode(
        self,
        texts: Sequence[str] | Sequence[TokenIds],
        kind: TextKind,
        *,
        store_token_vectors: bool = False,
        long_texts: LongTexts = "truncate",
        max_tokens: int | None = None,
    ) -> Vectors:
        if store_token_vectors and kind == "passage" and not are_ids(texts):
            return await self._passages_in_slices(list(texts), self._encode_documents)
        if long_texts == "window" or max_tokens is not None:
            counts = await self.count(texts, kind)
            limit = min((n for n in (max_tokens, counts.max_tokens) if n is not None), default=None)
            if limit is not None and max(counts.tokens, default=0) > limit:
                windows = await asyncio.to_thread(self._ids.windows, texts, kind, long_texts, max_tokens)
                return mean_vectors(windows, await self._encode(list(windows.ids), kind))
        return await self._encode(self._whole(texts, kind), kind)

    async def _encode(self, whole: list[Any], kind: TextKind) -> Vectors:
        if kind == "passage":
            return await self._passages_in_slices(whole, self._run_model)
        vectors = np.empty((len(whole), self.dimensions), dtype=np.float32)
        for part in await self._slices(whole, self._texts_at_once):
            vectors[part] = await self._scheduler.question(partial(self._run_model, [whole[i] for i in part]))
        return vectors

    async def count(self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind) -> TokenCounts:
        whole = self._whole(texts, kind)
        if are_ids(whole):
            return TokenCounts(tuple(len(ids) for ids in whole), self._ids.max_tokens)
        return TokenCounts(tuple(await asyncio.to_thread(self._ids.count, whole)), self._ids.max_tokens)

    def _whole(self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind) -> list[Any]:
        """The inputs of the model: texts or token ids with the prefix of their kind."""
        if are_ids(texts):
            return self._ids.framed(texts, kind)
        return [f"{self._prefixes[kind]}{text}" for text in texts]

    async def encode_tokens(self, texts: Sequence[str], kind: TextKind) -> list[TokenVectors]:
        """See `rag.adapters.sentence_transformers.multi_vector.late_interaction.TokenEncoder`."""
        if kind == "query":
            return await self._scheduler.question(partial(self._read_tokens, list(texts), kind))
        slices = await self._slices(list(texts), self._candidates_at_once)
        runs = [partial(self._read_tokens, [texts[i] for i in part], kind) for part in slices]
        return in_original_order(slices, await asyncio.gather(*(self._scheduler.candidates(run) for run in runs)))

    async def _passages_in_slices(self, texts: list[Any], encode: Callable[[list[Any]], Vectors]) -> Vectors:
        """Encode in slices, in parallel; before each slice come waiting questions and slices of other callers."""
        slices = await self._slices(texts, self._batch_size, self._passage_tokens)
        runs = [partial(encode, [texts[i] for i in part]) for part in slices]
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for part, rows in zip(slices, await asyncio.gather(*map(self._scheduler.passages, runs)), strict=True):
            vectors[part] = rows
        return vectors

    async def _slices(self, texts: list[Any], at_once: int, most_tokens: int | None = None) -> list[list[int]]:
        """Positions of texts or token ids in slices with similar numbers of tokens."""
        if len(texts) <= (at_once if most_tokens is None else 1):
            return slices_by_length([0] * len(texts), at_once)
        counts = [len(ids) for ids in texts] if are_ids(texts) else await asyncio.to_thread(self._ids.count, texts)
        longest = self._ids.max_tokens
        return slices_by_length(counts if longest is None else [min(n, longest) for n in counts], at_once, most_tokens)

    def _encode_documents(self, texts: list[str]) -> Vectors:
        self._torch.set_num_threads(THREADS_PER_SLICE)
        vectors, tokens = self._tokens.passages(texts)
        if self._token_file is not None:
            self._token_file.add(self._name, dict(zip(texts, tokens, strict=True)))
        return vectors

    def _run_model(self, texts: list[Any]) -> Vectors:
        """Vectors of texts or of token ids."""
        self._torch.set_num_threads(THREADS_PER_SLICE)
        if are_ids(texts):
            return self._ids.encode(texts)
        vectors: Vectors = self._model.encode(
            texts,
            batch_size=len(texts),
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return vectors.astype("float32", copy=False)

    def _read_tokens(self, texts: list[str], kind: TextKind) -> list[TokenVectors]:
        self._torch.set_num_threads(THREADS_PER_SLICE)
        return self._tokens.read(texts, kind)

    def _choose_prefixes(self, settings: EmbedderSettings) -> dict[TextKind, str]:
        """The prefixes in the settings, else those in the model's files, else those known from its model card."""
        own: Mapping[str, str] = self._model.prompts or {}
        known = next((pair for part, pair in PREFIXES.items() if part in self._name.lower()), ("", ""))
        query = own.get("query") or known[0]
        passage = own.get("passage") or own.get("document") or known[1]
        return {
            "query": query if settings.query_prefix is None else settings.query_prefix,
            "passage": passage if settings.passage_prefix is None else settings.passage_prefix,
        }


def _refuse_other_kinds(folder: str, name: str) -> None:
    if (kind := declared_kind(folder)) not in (None, "SentenceTransformer"):
        raise SetupError(
            f"RAG_EMBEDDER__MODEL: {name} is a {kind}, not a model that makes dense vectors",
            param="RAG_EMBEDDER__MODEL",
        )
