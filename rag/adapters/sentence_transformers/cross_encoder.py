"""A sentence-transformers cross-encoder: reads question and passage as one text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from rag.adapters.sentence_transformers.model_kind import architectures, declared_kind
from rag.adapters.sentence_transformers.scheduler import (
    QUESTION_THREADS,
    ComputeScheduler,
    candidates_at_once,
    in_order,
    slices_by_length,
)
from rag.config import EmbedderSettings
from rag.errors import SetupError

OPTION = "RAG_RERANK__MODEL"


class StCrossEncoder:
    """See `rag.ports.Reranker`.

    Args:
        folder: Folder of the model.
        name: What it is called.
        settings: The `embedder` section: device, threads and batch size are the encoder's.
        turn: Where it computes; the same one for all models of a process.

    Raises:
        SetupError: the model is no cross-encoder, or tells classes apart instead of giving one score.
    """

    def __init__(self, folder: str, name: str, settings: EmbedderSettings, turn: ComputeScheduler) -> None:
        import torch
        from sentence_transformers import CrossEncoder

        self._torch = torch
        self._turn = turn
        self._name = name
        _refuse_other_kinds(folder, name)
        self._model: Any = CrossEncoder(folder, device=settings.device)
        if self._model.num_labels != 1:
            raise SetupError(
                f"{OPTION}: {name} tells {self._model.num_labels} classes apart; a reranker has one score", param=OPTION
            )
        self._at_once = candidates_at_once(settings, self._model.device.type)
        self._squash = self._choose_squash()
        self._run_model([("ready", "ready")])  # its tokenizer sets itself up at its first use

    @property
    def name(self) -> str:
        return f"cross_encoder:{self._name}"

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """What the model's own activation makes of its logits where that is in [0, 1], else their sigmoid."""
        slices = slices_by_length([len(text) for text in texts], self._at_once)
        runs = [partial(self._run_model, [(query, texts[position]) for position in part]) for part in slices]
        return in_order(slices, await asyncio.gather(*(self._turn.candidates(run) for run in runs)))

    def _run_model(self, pairs: list[tuple[str, str]]) -> list[float]:
        self._torch.set_num_threads(QUESTION_THREADS)
        scores = self._model.predict(
            pairs, batch_size=self._at_once, activation_fn=self._squash, show_progress_bar=False
        )
        return [float(score) for score in scores]

    def _choose_squash(self) -> Any:
        """Which function it is, its values tell: models bring their own, under any name."""
        extremes = self._torch.tensor([[-1e4], [-1.0], [0.0], [1.0], [1e4]])
        values = self._model.activation_fn(extremes)
        return self._model.activation_fn if values.min() >= 0 and values.max() <= 1 else self._torch.nn.Sigmoid()


def _refuse_other_kinds(folder: str, name: str) -> None:
    kind, classes = declared_kind(folder), architectures(folder)
    if kind == "CrossEncoder" or (kind is None and any(c.endswith("ForSequenceClassification") for c in classes)):
        return
    what = kind or ", ".join(classes) or "nothing known"
    raise SetupError(f"{OPTION}: {name} is no cross-encoder; its folder says {what}", param=OPTION)
