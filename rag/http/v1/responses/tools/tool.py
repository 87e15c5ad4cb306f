"""What every tool that the service runs has in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from rag.http.v1.function_calling.functions import FunctionIn
from rag.http.v1.responses.output.output_items import ItemStep, SourcesNumbered
from rag.types import JsonObject


@dataclass(slots=True, eq=False)
class ModelCall:
    """A call that the language model writes."""

    id: str
    name: str
    parts: list[str] = field(default_factory=list)
    is_open: bool = False
    """Whether its item has begun."""

    @property
    def arguments(self) -> str:
        return "".join(self.parts)

    def for_model(self) -> JsonObject:
        """In the format of `rag.types.Chat`."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """The last event of a tool: what it returns to the language model."""

    text: str
    tokens: int = 50
    """Its length; by default that of a sentence."""


@dataclass(frozen=True, slots=True)
class ApprovalPending:
    """The last event of a call that the client must approve first. The response ends after this round."""


ToolEvent: TypeAlias = ItemStep | SourcesNumbered | ToolOutput | ApprovalPending


class ServiceTool(Protocol):
    """A tool that the service runs."""

    @property
    def function(self) -> FunctionIn:
        """As it is described to the language model."""
        ...

    def begin(self, call: ModelCall) -> ItemStep | None:
        """The begin of the item of a call whose arguments are still being written; None: it has no item yet."""
        ...

    def written(self, call: ModelCall, arguments: str) -> ItemStep:
        """More arguments of a call whose item has begun."""
        ...

    def run(self, call: ModelCall, max_tokens: int) -> AsyncGenerator[ToolEvent, None]:
        """Run a call whose arguments are complete. A failure is an output, which says so.

        Args:
            max_tokens: Of the output.

        Raises:
            RagError: the request itself is wrong, so that no call can succeed.
        """
        ...
