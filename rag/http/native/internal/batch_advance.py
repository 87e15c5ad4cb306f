"""The Retriever's part of batches: it validates new ones, and finishes those whose lines have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from rag.errors import RagError
from rag.http.model_aliases import ModelAliases
from rag.library.batches.validation import WITHOUT_MODEL, IsModel
from rag.library.batches.work import BatchWork

logger = logging.getLogger("rag.batches")

EMBEDDINGS = "/v1/embeddings"


class BatchAdvance:
    """Runs the Retriever's part of batches in the background, triggered by edges that request lines."""

    def __init__(self, aliases: ModelAliases) -> None:
        self._aliases = aliases
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: BatchWork, models: Mapping[str, str] | None) -> None:
        """Validate new batches and finish ended ones, unless that is already running.

        Args:
            models: Kinds of the served models, by name.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(_advance(work, None if models is None else self.is_model(models)))

    def is_model(self, models: Mapping[str, str]) -> IsModel:
        """Whether a line can name a model, given the kinds of the served ones by name."""

        def is_model(endpoint: str, name: str) -> bool:
            kind = models.get(name) or models.get(self._aliases.model(name) or "")
            if endpoint in WITHOUT_MODEL:  # the edge does not know the rerankers, the route does
                return True
            return kind is not None and (kind == "embedding") == (endpoint == EMBEDDINGS)

        return is_model


async def _advance(work: BatchWork, is_model: IsModel | None) -> None:
    try:
        await asyncio.to_thread(work.advance, is_model)
    except RagError as error:  # the next request tries again
        logger.warning("processing of batches is postponed: %s", error)
    except Exception:
        logger.exception("processing of batches failed and will be retried")
