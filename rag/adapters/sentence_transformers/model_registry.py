"""Models of one kind by their names, loaded when they are asked for."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from rag.errors import ModelNotFound, RagError, SetupError

_log = logging.getLogger(__name__)
M = TypeVar("M")


class ModelRegistry(Generic[M]):
    """See `rag.ports.SparseEmbedders` for `named`.

    Args:
        kind: In the words of a message, such as `sparse encoder`.
        load: Makes the one of that name. Blocks; SetupError: it is not to be had.
        kept: Models in memory at most beside those of `preload`, while none is being loaded. The one that was not
            used for longest goes first.
        loading: Held while one loads, since transformers sets global defaults meanwhile; the same one for all kinds
            of a process.
    """

    def __init__(
        self, kind: str, load: Callable[[str], M], *, kept: int = 2, loading: asyncio.Lock | None = None
    ) -> None:
        self._kind = kind
        self._load = load
        self._kept = kept
        self._one_at_a_time = loading or asyncio.Lock()
        self._pinned: dict[str, M] = {}
        self._others: OrderedDict[str, M] = OrderedDict()
        self._loading: dict[str, asyncio.Task[M]] = {}

    def preload(self, model: str, option: str) -> M:
        """The one that a setting names; it stays. Blocks.

        Raises:
            SetupError: it is not to be had, or cannot be loaded; names setting and model.
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
        if model in self._others:
            self._others.move_to_end(model)
            return self._others[model]
        if model not in self._loading:
            self._loading[model] = asyncio.create_task(self._load_in_turn(model))
            self._loading[model].add_done_callback(lambda task: self._loaded(model, task))
        # A caller who leaves does not end what others wait for.
        return await asyncio.shield(self._loading[model])

    async def _load_in_turn(self, model: str) -> M:
        async with self._one_at_a_time:
            begun = time.monotonic()
            loaded = await asyncio.to_thread(self._load_or_say, model)
            _log.info("the %s %r is ready after %.0f s", self._kind, model, time.monotonic() - begun)
        self._others[model] = loaded
        if len(self._others) > self._kept:
            gone, _ = self._others.popitem(last=False)
            _log.info("the %s %r was not used for longest and is dropped", self._kind, gone)
            await asyncio.to_thread(gc.collect)  # a model is full of cycles: its memory would stay taken
        return loaded

    def _loaded(self, model: str, task: asyncio.Task[M]) -> None:
        del self._loading[model]
        if not task.cancelled():
            task.exception()  # read here: those who waited for it may all have left

    def _load_or_say(self, model: str) -> M:
        try:
            return self._load(model)
        except SetupError as error:
            reason = error.message.removeprefix(f"{error.param}: ")  # no setting is at fault: the name came by request
            raise ModelNotFound(f"the {self._kind} {model!r} is not to be had: {reason}", param="model") from error
        except RagError:
            raise
        except Exception as error:
            _log.warning("the %s %r could not be loaded", self._kind, model, exc_info=True)
            raise ModelNotFound(self._not_loaded(model, error), param="model") from error

    def _not_loaded(self, model: str, error: Exception) -> str:
        return (
            f"the {self._kind} {model!r} was found but could not be loaded ({type(error).__name__}); it must be "
            "a sentence-transformers model with *.safetensors weights, and fit into memory beside the others; the "
            "service's log has more"
        )
