"""How tools that the service runs for the language model are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.ports import ToolServers


@dataclass(frozen=True, slots=True)
class ToolOptions:
    search: Literal["always", "model"] = "always"
    """How `file_search` is used if a request does not say."""
    max_rounds: int = 5
    """Times that the language model may call tools before it must answer."""
    servers: ToolServers | None = None
    """MCP servers; None: none may be called."""
    max_server_tools: int = 64
    """Maximum number of tools of one server."""
    retrieve_timeout_s: float = 60.0
    """Time limit of a search."""
