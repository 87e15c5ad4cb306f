"""`Tool`: name, arguments and function of a tool."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import mcp_types
from pydantic import BaseModel, Field

from rag.auth.caller import Caller
from rag.auth.scopes import Scope
from rag.http.mcp.caller_service import CallerService
from rag.http.validation.unicode_check import check_unicode
from rag.http.validation.validation_errors import parsed
from rag.types import JsonObject

Report: TypeAlias = Callable[[float, str], Awaitable[None]]
"""Reports progress to the client: an increasing number and a message."""
ArgumentsT = TypeVar("ArgumentsT", bound=BaseModel)
StoreName = Annotated[str, Field(min_length=1, max_length=64, description="The vector store: its name or id.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[ArgumentsT]):
    name: str
    title: str
    description: str
    arguments: type[ArgumentsT]
    run: Callable[[CallerService, ArgumentsT, Report], Awaitable[JsonObject]]
    scopes: tuple[Scope, ...]
    """The tool is listed for callers that have one of these scopes. The routes that it calls check them."""
    changes: bool = False
    """Whether it changes documents."""

    def is_for(self, caller: Caller) -> bool:
        return caller.may(*self.scopes)

    def described(self) -> mcp_types.Tool:
        return mcp_types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.arguments.model_json_schema(),
            annotations=mcp_types.ToolAnnotations(
                read_only_hint=not self.changes, destructive_hint=self.changes, open_world_hint=False
            ),
        )

    async def call(self, service: CallerService, arguments: dict[str, Any], report: Report) -> JsonObject:
        """Raises RagError if the arguments are invalid or the service refuses the request."""
        check_unicode(json.dumps(arguments).encode(), arguments)
        return await self.run(service, parsed(self.arguments, arguments), report)
