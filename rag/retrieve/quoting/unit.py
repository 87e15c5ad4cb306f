"""A unit: the smallest part of a document that can be quoted on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

UnitKind: TypeAlias = Literal["sentence", "item", "row", "record", "field", "code"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, list item or short list, table row, record or one of its values, line of front matter, or code."""

    kind: UnitKind
    text: str
    """As quoted: without markup, and preceded by its heading if it makes no sense without it."""
    start: int
    """Character offset in the document's text. The heading is not part of the range."""
    end: int
    key: str
    """The text that is compared with the question."""

    @property
    def is_tabular(self) -> bool:
        """Whether it is one of many units alike, of which a question means one."""
        return self.kind in ("row", "record")
