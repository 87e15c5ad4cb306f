"""The LoRA adapters of vLLM's engine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.adapters.model_files import adapter_folder
from rag.adapters.vllm.errors import ENGINE_DIED, refusal
from rag.adapters.vllm.lora_files import check_adapter
from rag.config import LLMSettings
from rag.errors import Conflict, DependencyUnavailable, Forbidden, InvalidRequest, ModelNotFound, SetupError

if TYPE_CHECKING:
    from vllm.lora.request import LoRARequest
    from vllm.v1.engine.async_llm import AsyncLLM

logger = logging.getLogger("rag.engine")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
OPTION = "RAG_LLM__ADAPTERS"


@dataclass(frozen=True, slots=True)
class _Adapter:
    name: str
    folder: str
    number: int
    """Never used twice: vLLM keeps what it computed of a prompt by the adapter's name, which is made of it."""

    def request(self) -> LoRARequest:
        from vllm.lora.request import LoRARequest

        return LoRARequest(f"{self.name}#{self.number}", self.number, self.folder)


class VllmAdapters:
    """See `rag.ports.Adapters`. Outlives the engine: `attach` loads all into a new one.

    An adapter in use is never unloaded: vLLM would read its folder again, and the engine would die if it is gone.

    Args:
        base: Folder of the language model.
    """

    def __init__(self, settings: LLMSettings, base: Path) -> None:
        self._settings = settings
        self._base = base
        self._engine: AsyncLLM | None = None
        self._known: dict[str, _Adapter] = {}
        self._leaving: dict[int, _Adapter] = {}
        """Have no name any more, but requests in work."""
        self._in_use = Counter[int]()
        self._last_number = 0
        self._configured = False
        self._lock = asyncio.Lock()

    @property
    def names(self) -> list[str]:
        return list(self._known)

    async def attach(self, engine: AsyncLLM) -> None:
        """Load into a new engine what the last one had; into the first, what the settings name.

        Raises:
            SetupError: an adapter of the settings cannot be loaded.
            DependencyUnavailable: the engine is dead again.
        """
        async with self._lock:
            self._engine = engine
            self._leaving.clear()
            self._in_use.clear()
            for adapter in list(self._known.values()):
                try:
                    await self._add(adapter)
                except InvalidRequest as error:
                    del self._known[adapter.name]
                    logger.error("the adapter %s is lost: %s", adapter.name, error.message)
            if not self._configured:
                await self._load_configured()
                self._configured = True

    async def load(self, name: str, path: str, *, replace: bool = False) -> None:
        """See `rag.ports.Adapters`."""
        self._check_allowed()
        async with self._lock:
            old = self._known.get(name)
            if old is not None and not replace:
                raise Conflict(f"lora_name: {name} is loaded; load_inplace replaces it", param="lora_name")
            self._check_room()
            await self._load(name, path)
            if old is not None:
                await self._let_go(old)
        logger.info("loaded the adapter %s", name)

    async def unload(self, name: str) -> None:
        """See `rag.ports.Adapters`."""
        self._check_allowed()
        async with self._lock:
            adapter = self._known.pop(name, None)
            if adapter is None:
                raise ModelNotFound(f"lora_name: there is no adapter {name[:200]!r}", param="lora_name")
            await self._let_go(adapter)
        logger.info("unloaded the adapter %s", name)

    def find(self, name: str) -> _Adapter:
        """Raises ModelNotFound."""
        if (adapter := self._known.get(name)) is None:
            names = ", ".join(self._known) or "none"
            raise ModelNotFound(f"model: there is no adapter {name[:200]!r}; loaded: {names}", param="model")
        return adapter

    @contextlib.asynccontextmanager
    async def used(self, adapter: _Adapter) -> AsyncIterator[None]:
        """It stays loaded inside."""
        engine = self._engine
        self._in_use[adapter.number] += 1
        try:
            yield
        finally:
            if engine is self._engine:
                self._in_use[adapter.number] -= 1
                await asyncio.shield(self._remove_if_left(adapter))

    async def _load_configured(self) -> None:
        for name, path in self._settings.adapters.items():
            if name in self._known:
                continue
            with _as_setup_error(name):
                await self._load(name, path)

    async def _load(self, name: str, path: str) -> None:
        self._last_number += 1
        folder = await asyncio.to_thread(checked_folder, name, path, self._base, self._config())
        adapter = _Adapter(name, str(folder), self._last_number)
        await self._add(adapter)
        self._known[name] = adapter

    async def _add(self, adapter: _Adapter) -> None:
        from vllm.v1.engine.exceptions import EngineDeadError

        engine = self._attached()
        try:
            await engine.add_lora(adapter.request())
        except EngineDeadError as error:
            raise DependencyUnavailable(ENGINE_DIED) from error
        except Exception as error:
            with contextlib.suppress(Exception):
                await engine.remove_lora(adapter.number)
            reason = refusal(error).message.splitlines()[-1:]
            message = f"lora_path: the engine refuses the adapter: {''.join(reason)[:300]}"
            raise InvalidRequest(message, param="lora_path") from error

    async def _let_go(self, adapter: _Adapter) -> None:
        self._leaving[adapter.number] = adapter
        await self._remove_if_left(adapter)

    async def _remove_if_left(self, adapter: _Adapter) -> None:
        if adapter.number in self._leaving and not self._in_use[adapter.number]:
            del self._leaving[adapter.number]
            with contextlib.suppress(Exception):  # an engine that is dead has none
                await self._attached().remove_lora(adapter.number)

    def _check_allowed(self) -> None:
        if not self._settings.runtime_adapters:
            raise Forbidden("adapters are fixed by the settings, unless RAG_LLM__RUNTIME_ADAPTERS is true")

    def _check_room(self) -> None:
        """Where there are too many, vLLM drops one and reads it again, from a folder that may be gone by then."""
        room = self._config().max_cpu_loras
        if len(self._known) + len(self._leaving) >= room:
            hint = "unload one, or set RAG_LLM__ENGINE__MAX_CPU_LORAS"
            raise Conflict(f"lora_name: {room} adapters are loaded, and no more fit; {hint}", param="lora_name")

    def _config(self) -> Any:
        config: Any = self._attached().vllm_config.lora_config
        return config

    def _attached(self) -> AsyncLLM:
        if self._engine is None:
            raise RuntimeError("attach comes first")
        return self._engine


def check_configured(settings: LLMSettings, base: Path, config: Any) -> None:
    """Look at the adapters of the settings, without an engine.

    Args:
        base: Folder of the language model.
        config: vLLM's LoRAConfig, where the engine takes adapters.

    Raises:
        SetupError: one of them cannot be loaded.
    """
    for name, path in settings.adapters.items():
        with _as_setup_error(name):
            checked_folder(name, path, base, config)


def checked_folder(name: str, path: str, base: Path, config: Any) -> Path:
    """Of an adapter. Args: as `check_configured` has them. Raises InvalidRequest: it cannot be loaded."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest("lora_name: letters, digits and . _ / - alone, 128 at most", param="lora_name")
    if config is None:
        raise InvalidRequest("lora_path: RAG_LLM__ENGINE__ENABLE_LORA is false", param="lora_path")
    try:
        folder = Path(adapter_folder(path, "lora_path"))
    except SetupError as error:
        raise InvalidRequest(error.message, param="lora_path") from error
    check_adapter(folder, base, config.max_lora_rank)
    return folder


@contextlib.contextmanager
def _as_setup_error(name: str) -> Iterator[None]:
    try:
        yield
    except InvalidRequest as error:
        reason = error.message.removeprefix("lora_path: ").removeprefix("lora_name: ")
        raise SetupError(f"{OPTION}: {name}: {reason}", param=OPTION) from error
