from __future__ import annotations

from rag.errors import Conflict, InvalidRequest, ModelNotFound


class FakeAdapters:
    """Loaded adapters by name. Every path except `/missing` contains an adapter."""

    def __init__(self, **loaded: str) -> None:
        self.loaded = dict(loaded)

    async def load(self, name: str, path: str, *, replace: bool = False) -> None:
        if name in self.loaded and not replace:
            raise Conflict(f"lora_name: {name} is loaded", param="lora_name")
        if path == "/missing":
            raise InvalidRequest(f"lora_path: there is no folder {path}", param="lora_path")
        self.loaded[name] = path

    async def unload(self, name: str) -> None:
        if name not in self.loaded:
            raise ModelNotFound(f"lora_name: there is no adapter {name!r}", param="lora_name")
        del self.loaded[name]
