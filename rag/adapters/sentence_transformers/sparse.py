"""A sentence-transformers sparse encoder, such as SPLADE."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from rag.adapters.sentence_transformers.model_kind import other_kind
from rag.adapters.sentence_transformers.scheduler import (
    THREADS_PER_SLICE,
    ComputeScheduler,
    in_original_order,
    slices_by_length,
    texts_at_once,
)
from rag.config import EmbedderSettings
from rag.errors import SetupError
from rag.types import SparseVector, TextKind

if TYPE_CHECKING:
    import torch

OPTION = "RAG_EMBEDDER__SPARSE_MODEL"
_MOST_TERMS = 1024
"""Maximum terms of a text, if the model has no limit of its own. Typical: 30 for a question, 200 for a passage."""


class StSparseEmbedder:
    """Encodes texts into sparse vectors. Implements `rag.ports.SparseEmbedder`.

    Prompts are those in the model's files.

    Args:
        folder: Folder of the model.
        name: The name of the model.
        settings: The `embedder` section, for device, threads and batch size.
        scheduler: Runs the computation; shared by all models of a process.

    Raises:
        SetupError: the model is not a sparse encoder.
    """

    def __init__(self, folder: str, name: str, settings: EmbedderSettings, scheduler: ComputeScheduler) -> None:
        import torch
        from sentence_transformers import SparseEncoder

        self._torch = torch
        self._scheduler = scheduler
        self._name = name
        _refuse_other_kinds(folder, name)
        self._model = SparseEncoder(folder, device=settings.device)
        self._at_once = texts_at_once(settings, self._model.device.type)
        for kind in ("query", "passage"):  # configures both tokenizers (docs/bentoml_issues.md#o2)
            self._run_model(["ready"], kind)

    @property
    def model_name(self) -> str:
        return self._name

    async def encode(self, texts: Sequence[str], kind: TextKind) -> list[SparseVector]:
        slices = slices_by_length([len(text) for text in texts], self._at_once)
        runs = [partial(self._run_model, [texts[i] for i in part], kind) for part in slices]
        if kind == "passage":
            return in_original_order(slices, await asyncio.gather(*map(self._scheduler.passages, runs)))
        return in_original_order(slices, [await self._scheduler.question(run) for run in runs])

    def _run_model(self, texts: list[str], kind: TextKind) -> list[SparseVector]:
        self._torch.set_num_threads(THREADS_PER_SLICE)
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        rows = encode(
            texts,
            batch_size=self._at_once,
            convert_to_sparse_tensor=False,
            save_to_cpu=True,
            show_progress_bar=False,
            max_active_dims=self._model.max_active_dims or _MOST_TERMS,
        )
        return [_terms(row) for row in rows.float()]


def _terms(row: torch.Tensor) -> SparseVector:
    terms = (row > 0).nonzero().flatten()
    return dict(zip(terms.tolist(), row[terms].tolist(), strict=True))


def _refuse_other_kinds(folder: str, name: str) -> None:
    if kind := other_kind(folder, "SparseEncoder", "ForMaskedLM"):
        raise SetupError(f"{OPTION}: {name} is not a sparse encoder but {kind}", param=OPTION)
