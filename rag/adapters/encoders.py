"""The encoders of one process: the configured one, and others that are loaded when they are asked for."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from rag.errors import ModelNotFound, RagError, SetupError
from rag.ports import Embedder

_log = logging.getLogger(__name__)


class Encoders:
    """See `rag.ports.Embedders`.

    Args:
        default: The configured one; it stays.
        load: Makes the one of that name, with the prefixes of its own files and card. Blocks; SetupError: it is not
            to be had.
        kept: Others in memory at most, while none is being loaded. The one that was not used for longest goes first.
    """

    def __init__(self, default: Embedder, load: Callable[[str], Embedder], *, kept: int = 2) -> None:
        self._default = default
        self._load = load
        self._kept = kept
        self._others: OrderedDict[str, Embedder] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Embedder]] = {}
        self._one_at_a_time = asyncio.Lock()  # transformers sets global defaults while it loads

    @property
    def default(self) -> Embedder:
        return self._default

    async def named(self, model: str) -> Embedder:
        if model == self._default.model_name:
            return self._default
        if model in self._others:
            self._others.move_to_end(model)
            return self._others[model]
        if model not in self._loading:
            self._loading[model] = asyncio.create_task(self._load_in_turn(model))
            self._loading[model].add_done_callback(lambda task: self._loaded(model, task))
        # A caller who leaves does not end what others wait for.
        return await asyncio.shield(self._loading[model])

    async def _load_in_turn(self, model: str) -> Embedder:
        async with self._one_at_a_time:
            begun = time.monotonic()
            embedder = await asyncio.to_thread(self._load_or_say, model)
            _log.info("the encoder %r is ready after %.0f s", model, time.monotonic() - begun)
        self._others[model] = embedder
        if len(self._others) > self._kept:
            gone, _ = self._others.popitem(last=False)
            _log.info("the encoder %r was not used for longest and is dropped", gone)
            await asyncio.to_thread(gc.collect)  # a model is full of cycles: its memory would stay taken
        return embedder

    def _loaded(self, model: str, task: asyncio.Task[Embedder]) -> None:
        del self._loading[model]
        if not task.cancelled():
            task.exception()  # read here: those who waited for it may all have left

    def _load_or_say(self, model: str) -> Embedder:
        try:
            return self._load(model)
        except SetupError as error:
            reason = error.message.removeprefix(f"{error.param}: ")  # no setting is at fault: the name came by request
            raise ModelNotFound(f"the embedding model {model!r} is not to be had: {reason}", param="model") from error
        except RagError:
            raise
        except Exception as error:
            _log.warning("the encoder %r could not be loaded", model, exc_info=True)
            raise ModelNotFound(
                f"the embedding model {model!r} was found but could not be loaded ({type(error).__name__}); it must be "
                "a sentence-transformers model with *.safetensors weights, and fit into memory beside the others; the "
                "service's log has more",
                param="model",
            ) from error
