"""A search that the language model asks for while it works on an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.types import KnownPassage, Message

if TYPE_CHECKING:
    from rag.retrieve.options import OptionOverrides
    from rag.retrieve.query import Filters


@dataclass(frozen=True, slots=True)
class ModelSearchRequest:
    """A search that the language model asks for, with one or more queries."""

    queries: Sequence[str]
    """At least one. The best passages of each are returned."""
    vector_stores: Sequence[str]
    """At least one."""
    max_tokens: int
    """Of the text for the language model."""
    overrides: OptionOverrides = field(default_factory=dict)
    """Options that the request sets."""
    filters: Filters | None = None
    score_threshold: float = 0.0
    """Hits with a lower score are left out."""
    known: Sequence[KnownPassage] = ()
    """The passages that earlier searches returned, in the order of their numbers."""
    explain: bool = False
    history: tuple[Message, ...] = ()
    """The conversation that a question of the user belongs to; the language model's own queries stand alone."""
