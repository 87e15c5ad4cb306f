"""Models of one kind by name, loaded on demand."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from cachetools import LRUCache

from rag.errors import ModelNotFound, RagError, SetupError

_log = logging.getLogger(__name__)
M = TypeVar("M")


class ModelRegistry(Generic[M]):
    """An LRU cache of models. For `named`, see `rag.ports.SparseEmbedders`.

    Args:
        kind: The kind of model, for messages, such as `sparse encoder`.
        load: Loads the model of that name. Blocks; raises SetupError if there is no such model.
        max_models: Models in memory in addition to those of `preload`; the least recently used one is evicted.
        loading: Held while a model loads; shared by all kinds of models (docs/bentoml_issues.md#o3).
        allowed: Names that requests may use; `*`: all. Those of `preload` are always allowed.
    """

    def __init__(
        self,
        kind: str,
        load: Callable[[str], M],
        *,
        max_models: int = 2,
        loading: asyncio.Lock | None = None,
        allowed: Collection[str] = ("*",),
    ) -> None:
        self._kind = kind
        self._allowed = allowed
        self._load = load
        self._one_at_a_time = loading or asyncio.Lock()
        self._pinned: dict[str, M] = {}
        self._others: LRUCache[str, M] = LRUCache(max_models)
        self._loading: dict[str, asyncio.Task[M]] = {}

    def preload(self, model: str, option: str) -> M:
        """Load a model that a setting names; it is never evicted. Blocks.

        Raises:
            SetupError: it cannot be loaded; names the setting and the model.
        """
        try:
            self._pinned[model] = self._load(model)
        except RagError:
            raise
        except Exception as error:
            _log.warning("the %s %r could not be loaded", self._kind, model, exc_info=True)
            raise SetupError(f"{option}: {self._not_loaded(model, error)}", param=option) from error
        return self._pinned[model]

    async def named(self, model: str) -> M:
        if model in self._pinned:
            return self._pinned[model]
        if "*" not in self._allowed and model not in self._allowed:
            # Nothing is looked up: the answer must not tell whether a folder exists.
            raise ModelNotFound(
                f"the {self._kind} {model!r} is not allowed; add it to RAG_EMBEDDER__ALLOWED_MODELS", param="model"
            )
        if model in self._others:
            return self._others[model]
        if model not in self._loading:
            self._loading[model] = asyncio.create_task(self._load_in_turn(model))
            self._loading[model].add_done_callback(lambda task: self._loaded(model, task))
        # Shielded: other callers may wait for the same model.
        return await asyncio.shield(self._loading[model])

    async def _load_in_turn(self, model: str) -> M:
        async with self._one_at_a_time:
            started = time.monotonic()
            loaded = await asyncio.to_thread(self._load_or_raise, model)
            _log.info("the %s %r is ready after %.0f s", self._kind, model, time.monotonic() - started)
        before = set(self._others)
        self._others[model] = loaded
        for evicted in before - set(self._others):
            _log.info("evicted the least recently used %s %r", self._kind, evicted)
            await asyncio.to_thread(_collect_garbage)
        return loaded

    def _loaded(self, model: str, task: asyncio.Task[M]) -> None:
        del self._loading[model]
        if not task.cancelled():
            task.exception()  # retrieved here, since all callers may have been cancelled

    def _load_or_raise(self, model: str) -> M:
        try:
            return self._load(model)
        except SetupError as error:
            reason = error.message.removeprefix(f"{error.param}: ")  # the name came from a request, not from a setting
            raise ModelNotFound(f"the {self._kind} {model!r} is not available: {reason}", param="model") from error
        except RagError:
            raise
        except Exception as error:
            _log.warning("the %s %r could not be loaded", self._kind, model, exc_info=True)
            raise ModelNotFound(self._not_loaded(model, error), param="model") from error

    def _not_loaded(self, model: str, error: Exception) -> str:
        return (
            f"the {self._kind} {model!r} could not be loaded ({type(error).__name__}); it must be a "
            "sentence-transformers model with *.safetensors weights, and fit into memory; the service's log has details"
        )


def _collect_garbage() -> None:
    """Free the reference cycles of an evicted model, even if it was loaded before the service was ready."""
    is_frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    gc.collect()
    if is_frozen:
        gc.freeze()
