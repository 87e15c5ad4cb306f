"""The output item that replaces the conversation so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from openai.types.responses import ResponseCompactionItem

from rag.http.v1.responses.output.objects import ItemStatus, new_id
from rag.http.v1.responses.output.output_items import NewEvent


@dataclass(slots=True)
class OpenCompaction:
    """It is complete from the beginning, and has no events of its own."""

    encrypted_content: str
    output_index: int = 0
    _id: str = field(default_factory=lambda: new_id("cmp"))

    def item(self, status: ItemStatus = "completed") -> ResponseCompactionItem:
        return ResponseCompactionItem(id=self._id, type="compaction", encrypted_content=self.encrypted_content)

    def added(self) -> Iterator[NewEvent]:
        return iter(())

    def done(self) -> Iterator[NewEvent]:
        return iter(())
