"""Servers whose tools the language model may call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.types import JsonMapping, ServerTool, ToolAnswer, ToolServer


class ToolServers(Protocol):
    """Calls servers. Each call has a time limit and a limit of its answer's size."""

    def check(self, url: str) -> None:
        """Raises Forbidden if the settings do not allow the server."""
        ...

    async def tools(self, server: ToolServer) -> Sequence[ServerTool]:
        """The tools of a server.

        Raises:
            Forbidden: the settings do not allow the server.
            ToolServerFailed: it does not answer, or not as it should.
        """
        ...

    async def call(self, server: ToolServer, name: str, arguments: JsonMapping) -> ToolAnswer:
        """What the tool returns as text. Raises as `tools` does."""
        ...
