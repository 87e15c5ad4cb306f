"""Servers whose tools the language model may call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rag.types.json import JsonObject


@dataclass(frozen=True, slots=True)
class ToolServer:
    """Where a server is reached, as a request names it."""

    label: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request; they may hold secrets."""


@dataclass(frozen=True, slots=True)
class ServerTool:
    name: str
    input_schema: JsonObject
    """JSON schema of its arguments."""
    description: str = ""
    annotations: JsonObject = field(default_factory=dict)

    @property
    def is_read_only(self) -> bool:
        """Whether the server says that the tool changes nothing."""
        return self.annotations.get("readOnlyHint") is True


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    text: str
    is_error: bool = False
    """Whether the tool itself reports that it failed."""
