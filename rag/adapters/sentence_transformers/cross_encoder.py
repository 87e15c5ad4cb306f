"""A sentence-transformers cross-encoder, which reads question and passage as one text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rag.adapters.sentence_transformers.model_kind import other_kind
from rag.adapters.sentence_transformers.scheduler import (
    THREADS_PER_SLICE,
    ComputeScheduler,
    candidates_at_once,
    in_original_order,
    slices_by_length,
)
from rag.config import EmbedderSettings
from rag.errors import SetupError

if TYPE_CHECKING:
    import torch

OPTION = "RAG_RERANK__MODEL"


class StCrossEncoder:
    """Scores passages for a question. Implements `rag.ports.Reranker`.

    Args:
        folder: Folder of the model.
        name: The name of the model.
        settings: The `embedder` section, for device, threads and batch size.
        scheduler: Runs the computation; shared by all models of a process.

    Raises:
        SetupError: the model is not a cross-encoder, or has several outputs instead of one score.
    """

    def __init__(self, folder: str, name: str, settings: EmbedderSettings, scheduler: ComputeScheduler) -> None:
        import torch
        from sentence_transformers import CrossEncoder

        self._torch = torch
        self._scheduler = scheduler
        self._name = name
        _refuse_other_kinds(folder, name)
        self._model = CrossEncoder(folder, device=settings.device)
        if self._model.num_labels != 1:
            raise SetupError(
                f"{OPTION}: {name} has {self._model.num_labels} outputs; a reranker must have one", param=OPTION
            )
        self._at_once = candidates_at_once(settings, self._model.device.type)
        self._activation = self._choose_activation()
        self._run_model([("ready", "ready")])  # configures the tokenizer (docs/bentoml_issues.md#o2)

    @property
    def name(self) -> str:
        return f"cross_encoder:{self._name}"

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """Scores in [0, 1]: by the model's own activation function if it maps to that range, else by the sigmoid."""
        slices = slices_by_length([len(text) for text in texts], self._at_once)
        runs = [partial(self._run_model, [(query, texts[position]) for position in part]) for part in slices]
        return in_original_order(slices, await asyncio.gather(*(self._scheduler.candidates(run) for run in runs)))

    def _run_model(self, pairs: list[tuple[str, str]]) -> list[float]:
        self._torch.set_num_threads(THREADS_PER_SLICE)
        scores = self._model.predict(
            pairs, batch_size=self._at_once, activation_fn=self._activation, show_progress_bar=False
        )
        return [float(score) for score in scores]

    def _choose_activation(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The model's activation function if its values are in [0, 1], which is found out by trying."""
        extremes = self._torch.tensor([[-1e4], [-1.0], [0.0], [1.0], [1e4]])
        values = self._model.activation_fn(extremes)
        return self._model.activation_fn if values.min() >= 0 and values.max() <= 1 else self._torch.nn.Sigmoid()


def _refuse_other_kinds(folder: str, name: str) -> None:
    if kind := other_kind(folder, "CrossEncoder", "ForSequenceClassification"):
        raise SetupError(f"{OPTION}: {name} is not a cross-encoder but {kind}", param=OPTION)
