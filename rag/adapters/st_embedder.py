"""A sentence-transformers bi-encoder. Questions do not wait for passages, and are encoded together."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from rag.config import EMBEDDED_ENCODER, EmbedderSettings
from rag.ports import Vectors
from rag.types import TextKind

"""The name of the embedded model, which is used where none is set."""
PREFIXES: Mapping[str, tuple[str, str]] = {
    "bge-small-en": ("Represent this sentence for searching relevant passages: ", ""),
    "bge-base-en": ("Represent this sentence for searching relevant passages: ", ""),
    "bge-large-en": ("Represent this sentence for searching relevant passages: ", ""),
    "e5-": ("query: ", "passage: "),
    "nomic-embed-text": ("search_query: ", "search_document: "),
}
"""Query and passage prefixes that these models' cards ask for and their files do not always hold."""
_AT_ONCE = 8
"""Texts encoded in one go on a CPU: more gain nothing there, are padded to the longest, and make questions wait."""
_QUESTION_THREADS = 1
"""A question is too little work to share: where the language model computes on the same cores, two threads that
wait for each other at every layer take ten times longer than one."""


class ComputeTurn:
    """The two threads that compute, shared by all models of a process: one for questions, one for passages.

    Of passages one slice is in work at a time, and none begins while a question waits, whichever models they are for.
    A question does not wait for the slice in work either: it gets its share of the cores at once.
    """

    def __init__(self) -> None:
        self._for_questions = ThreadPoolExecutor(1, thread_name_prefix="encoder-questions")
        self._for_passages = ThreadPoolExecutor(1, thread_name_prefix="encoder-passages")
        self._questions_waiting = 0
        self._changed = asyncio.Condition()
        self._slice = asyncio.Lock()

    async def question(self, compute: Callable[[], Vectors]) -> Vectors:
        self._questions_waiting += 1
        try:
            return await _run(self._for_questions, compute)
        finally:
            self._questions_waiting -= 1
            async with self._changed:
                self._changed.notify_all()

    async def passages(self, compute: Callable[[], Vectors]) -> Vectors:
        async with self._slice:  # else each job's slice would be queued before the next question is looked for
            async with self._changed:
                await self._changed.wait_for(lambda: self._questions_waiting == 0)
            return await _run(self._for_passages, compute)


async def _run(thread: ThreadPoolExecutor, compute: Callable[[], Vectors]) -> Vectors:
    return await asyncio.get_running_loop().run_in_executor(thread, compute)


class StEmbedder:
    """See `rag.ports.Embedder`.

    Args:
        folder: Folder or hub id of the model.
        settings: The `embedder` section.
        turn: Where it computes; the same one for all models of a process.
    """

    def __init__(self, folder: str, settings: EmbedderSettings, turn: ComputeTurn) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        self._torch = torch
        self._turn = turn
        self._passage_threads = settings.threads or _all_threads()
        self._model: Any = SentenceTransformer(folder, device=settings.device)
        self._name = settings.model or EMBEDDED_ENCODER
        self._prefixes = self._choose_prefixes(settings)
        on_gpu = self._model.device.type != "cpu"
        self._at_once = settings.batch_size if on_gpu else min(settings.batch_size, _AT_ONCE)
        # The tokenizer sets itself up at its first use, and refuses that while another thread uses it.
        self._run_model(["ready"], _QUESTION_THREADS)

    @property
    def model_name(self) -> str:
        return self._name

    @property
    def dimensions(self) -> int:
        return int(self._model.get_embedding_dimension())

    async def encode(self, texts: Sequence[str], kind: TextKind) -> Vectors:
        prefixed = [self._prefixes[kind] + text for text in texts]
        if kind == "query":
            return await self._turn.question(partial(self._run_model, prefixed, _QUESTION_THREADS))
        return await self._encode_passages(prefixed)

    async def _encode_passages(self, texts: list[str]) -> Vectors:
        """In slices of like length, each of which lets waiting questions go first."""
        import numpy as np

        order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(order), self._at_once):
            part = order[start : start + self._at_once]
            chosen = [texts[i] for i in part]
            vectors[part] = await self._turn.passages(partial(self._run_model, chosen, self._passage_threads))
        return vectors

    def _run_model(self, texts: list[str], threads: int) -> Vectors:
        self._torch.set_num_threads(threads)
        vectors: Vectors = self._model.encode(
            texts,
            batch_size=self._at_once,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return vectors.astype("float32", copy=False)

    def _choose_prefixes(self, settings: EmbedderSettings) -> dict[TextKind, str]:
        """What the user set, else what the model's files say, else what its card is known to ask for."""
        own: Mapping[str, str] = self._model.prompts or {}
        known = next((pair for part, pair in PREFIXES.items() if part in self._name.lower()), ("", ""))
        query = own.get("query") or known[0]
        passage = own.get("passage") or own.get("document") or known[1]
        return {
            "query": query if settings.query_prefix is None else settings.query_prefix,
            "passage": passage if settings.passage_prefix is None else settings.passage_prefix,
        }


@functools.cache
def _all_threads() -> int:
    """As torch counts them before the first question sets another number: asked later, it would answer that one."""
    import torch

    return torch.get_num_threads()
