"""Encodes the passages of documents that are ingested."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rag.adapters.sentence_transformers.bfloat16 import bfloat16_copy, computing, has_bfloat16
from rag.adapters.sentence_transformers.multi_vector.token_vector_file import TokenVectorFile
from rag.adapters.sentence_transformers.multi_vector.token_vector_reader import TokenVectorReader
from rag.config import EmbedderSettings
from rag.ports import Vectors


class DocumentPassages:
    """Dense vectors of documents' passages. Stores the vectors of their tokens. Thread-safe.

    Args:
        reader: Of the encoder in float32.
        model: The encoder, a `SentenceTransformer`.
        name: Its name.
        settings: The `embedder` section.
        token_file: None: token vectors are not stored.
    """

    def __init__(
        self,
        reader: TokenVectorReader,
        model: Any,
        name: str,
        settings: EmbedderSettings,
        token_file: TokenVectorFile | None,
    ) -> None:
        self._reader = reader
        self._model = model
        self._name = name
        self._token_file = token_file
        self._is_bfloat16 = False
        self._may_copy = settings.ingest_dtype == "auto" and reader.has_any and model.device.type == "cpu"
        self._copying = threading.Lock()

    def encode(self, texts: list[str]) -> Vectors:
        self._prepare()
        precision: AbstractContextManager[Any] = computing() if self._is_bfloat16 else nullcontext()
        with precision:
            vectors, tokens = self._reader.passages(texts)
        if self._token_file is not None:
            self._token_file.add(self._name, dict(zip(texts, tokens, strict=True)))
        return vectors

    def _prepare(self) -> None:
        """Before the first passages, copy the model in bfloat16, if that is faster and keeps the vectors."""
        with self._copying:
            if self._may_copy and has_bfloat16() and (copied := bfloat16_copy(self._model, self._name)) is not None:
                self._reader = self._reader.of_copy(copied)
                self._is_bfloat16 = True
            self._may_copy = False
