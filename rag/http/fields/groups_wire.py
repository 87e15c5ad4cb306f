"""Groups in requests: of API keys, and those that may read a document."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

MAX_GROUPS = 256
"""The maximum number of groups of a caller or a document."""
MAX_GROUP_CHARS = 128
MAX_TOTAL_CHARS = 10_000
"""Of all groups of a caller together: the edge sends them to the other services in a header."""


def group_problem(names: Collection[str]) -> str | None:
    """Why these cannot be the groups of a caller or a document; None if they can be."""
    if len(names) > MAX_GROUPS or sum(map(len, names)) > MAX_TOTAL_CHARS:
        return f"has more than {MAX_GROUPS} groups, or more than {MAX_TOTAL_CHARS} characters"
    if any(not 1 <= len(name) <= MAX_GROUP_CHARS or not name.isprintable() for name in names):
        return f"has a group that is not 1 to {MAX_GROUP_CHARS} printable characters"
    return None


def _check(names: list[str]) -> list[str]:
    if (problem := group_problem(names)) is not None:
        raise ValueError(problem)
    return sorted(set(names))


_Group = Annotated[str, StringConstraints(min_length=1, max_length=MAX_GROUP_CHARS)]
Groups = Annotated[list[_Group], Field(max_length=MAX_GROUPS), AfterValidator(_check)]
READ_GROUPS = (
    "Groups that may read it, besides administrators; empty: everyone in the tenant who may use the vector store."
)
"""Description of the field `read_groups`."""
KEEP_READ_GROUPS = f"{READ_GROUPS} Unset: a document that is replaced keeps its own, and a new one has none."
