"""The parts of lists that callers ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Page(Generic[Record]):
    """A page of a list."""

    rows: Sequence[Record]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which page of a list is wanted. Lists are sorted by time of creation."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    """Id of the item before the page."""
    before: str | None = None
    """Id of the item after the page."""


DAY_S = 86_400.0
