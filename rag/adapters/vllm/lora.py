"""The LoRA adapters of vLLM's engine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.adapters.vllm.errors import ENGINE_DIED, refusal
from rag.adapters.vllm.lora_files import check_adapter
from rag.config import LLMSettings
from rag.errors import Conflict, DependencyUnavailable, Forbidden, InvalidRequest, ModelNotFound, SetupError

if TYPE_CHECKING:
    from vllm.config.lora import LoRAConfig
    from vllm.lora.request import LoRARequest
    from vllm.v1.engine.async_llm import AsyncLLM

logger = logging.getLogger("rag.engine")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
OPTION = "RAG_LLM__ADAPTERS"

AdapterFolder = Callable[[str, str], str]
"""Resolves a path or hub id to a local folder, downloading it if needed. The second argument is the field or option
that the SetupError names if there is no such adapter."""


@dataclass(frozen=True, slots=True)
class LoraAdapter:
    """An adapter that the engine has loaded."""

    name: str
    folder: str
    number: int
    """Unique for the life of the process: vLLM's prefix cache is keyed by the request's adapter name, which contains
    the number, so a replaced adapter never gets the cached prefixes of its predecessor."""

    def request(self) -> LoRARequest:
        from vllm.lora.request import LoRARequest

        return LoRARequest(f"{self.name}#{self.number}", self.number, self.folder)


class VllmAdapters:
    """Loads and unloads the engine's LoRA adapters. Implements `rag.ports.Adapters`.

    It outlives the engine: `attach` loads all adapters into a new one. An adapter that a request uses is unloaded only
    when that request has ended (docs/bentoml_issues.md#v3).

    Args:
        base: Folder of the language model.
        adapter_folder: Finds the folder of an adapter.
    """

    def __init__(self, settings: LLMSettings, base: Path, adapter_folder: AdapterFolder) -> None:
        self._settings = settings
        self._base = base
        self._adapter_folder = adapter_folder
        self._engine: AsyncLLM | None = None
        self._loaded: dict[str, LoraAdapter] = {}
        self._retired: dict[int, LoraAdapter] = {}
        """Unloaded or replaced, but still used by requests in flight; by number."""
        self._in_use = Counter[int]()
        self._last_number = 0
        self._has_loaded_configured = False
        self._lock = asyncio.Lock()

    @property
    def names(self) -> list[str]:
        return list(self._loaded)

    async def attach(self, engine: AsyncLLM) -> None:
        """Load all adapters into a new engine: those of the settings, or those that the previous engine had.

        Raises:
            SetupError: an adapter named in the settings cannot be loaded.
            DependencyUnavailable: the new engine has died as well.
        """
        async with self._lock:
            self._engine = engine
            self._retired.clear()
            self._in_use.clear()
            for adapter in list(self._loaded.values()):
                try:
                    await self._add(adapter)
                except InvalidRequest as error:
                    del self._loaded[adapter.name]
                    logger.error("the adapter %s could not be reloaded and is gone: %s", adapter.name, error.message)
            if not self._has_loaded_configured:
                await self._load_configured()
                self._has_loaded_configured = True

    async def load(self, name: str, path: str, *, replace: bool = False) -> None:
        """See `rag.ports.Adapters`."""
        self._check_allowed()
        async with self._lock:
            old = self._loaded.get(name)
            if old is not None and not replace:
                raise Conflict(
                    f"lora_name: {name} is already loaded; set load_inplace to replace it", param="lora_name"
                )
            self._check_room()
            await self._load(name, path)
            if old is not None:
                await self._retire(old)
        logger.info("loaded the adapter %s", name)

    async def unload(self, name: str) -> None:
        """See `rag.ports.Adapters`."""
        self._check_allowed()
        async with self._lock:
            adapter = self._loaded.pop(name, None)
            if adapter is None:
                raise ModelNotFound(f"lora_name: there is no adapter {name[:200]!r}", param="lora_name")
            await self._retire(adapter)
        logger.info("unloaded the adapter %s", name)

    def find(self, name: str) -> LoraAdapter:
        """The adapter of this name. Raises ModelNotFound."""
        if (adapter := self._loaded.get(name)) is None:
            names = ", ".join(self._loaded) or "none"
            raise ModelNotFound(f"model: there is no adapter {name[:200]!r}; loaded: {names}", param="model")
        return adapter

    @contextlib.asynccontextmanager
    async def in_use(self, adapter: LoraAdapter) -> AsyncIterator[None]:
        """Keep the adapter loaded while the context is open."""
        engine = self._engine
        self._in_use[adapter.number] += 1
        try:
            yield
        finally:
            if engine is self._engine:
                self._in_use[adapter.number] -= 1
                await asyncio.shield(self._remove_if_unused(adapter))

    async def _load_configured(self) -> None:
        for name, path in self._settings.adapters.items():
            if name in self._loaded:
                continue
            with _as_setup_error(name):
                await self._load(name, path)

    async def _load(self, name: str, path: str) -> None:
        self._last_number += 1
        folder = await asyncio.to_thread(checked_folder, name, path, self._base, self._config(), self._adapter_folder)
        adapter = LoraAdapter(name, str(folder), self._last_number)
        await self._add(adapter)
        self._loaded[name] = adapter

    async def _add(self, adapter: LoraAdapter) -> None:
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

    async def _retire(self, adapter: LoraAdapter) -> None:
        self._retired[adapter.number] = adapter
        await self._remove_if_unused(adapter)

    async def _remove_if_unused(self, adapter: LoraAdapter) -> None:
        if adapter.number in self._retired and not self._in_use[adapter.number]:
            del self._retired[adapter.number]
            with contextlib.suppress(Exception):  # a dead engine has no adapters left
                await self._attached().remove_lora(adapter.number)

    def _check_allowed(self) -> None:
        if not self._settings.runtime_adapters:
            raise Forbidden(
                "adapters cannot be loaded or unloaded at run time; RAG_LLM__RUNTIME_ADAPTERS=true allows it"
            )

    def _check_room(self) -> None:
        """Never load more than `max_cpu_loras` (docs/bentoml_issues.md#v3)."""
        config = self._config()
        limit = None if config is None else config.max_cpu_loras
        if limit is not None and len(self._loaded) + len(self._retired) >= limit:
            hint = "unload one, or raise RAG_LLM__ENGINE__MAX_CPU_LORAS"
            message = f"lora_name: {limit} adapters are loaded, which is the most that fit; {hint}"
            raise Conflict(message, param="lora_name")

    def _config(self) -> LoRAConfig | None:
        return self._attached().vllm_config.lora_config

    def _attached(self) -> AsyncLLM:
        if self._engine is None:
            raise RuntimeError("call attach() first")
        return self._engine


def check_configured(
    settings: LLMSettings, base: Path, config: LoRAConfig | None, adapter_folder: AdapterFolder
) -> None:
    """Check the adapters named in the settings, without starting an engine.

    Args:
        base: Folder of the language model.
        config: vLLM's, or None if the engine takes no adapters.
        adapter_folder: Finds the folder of an adapter.

    Raises:
        SetupError: one of them cannot be loaded.
    """
    for name, path in settings.adapters.items():
        with _as_setup_error(name):
            checked_folder(name, path, base, config, adapter_folder)


def checked_folder(name: str, path: str, base: Path, config: LoRAConfig | None, adapter_folder: AdapterFolder) -> Path:
    """The folder of an adapter that the engine can load. Arguments as for `check_configured`.

    Raises:
        InvalidRequest: it cannot be loaded, and why.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "lora_name: must be 1 to 128 letters, digits, dots, underscores, slashes and dashes, beginning with a "
            "letter or digit",
            param="lora_name",
        )
    if config is None:
        raise InvalidRequest(
            "lora_path: the engine takes no adapters: RAG_LLM__ENGINE__ENABLE_LORA is false", param="lora_path"
        )
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
