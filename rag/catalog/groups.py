"""Read groups: which documents of a vector store the caller of the current request may read.

Each version of a document has its own read groups, because a new version may be for others than the one that it
replaces. The vector store has the groups of all its versions together: most vector stores have none, and then nothing
is checked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from rag.auth.caller import current_caller
from rag.catalog.tables.rows import LIVE, Condition
from rag.catalog.tables.schema import stores, versions
from rag.errors import InvalidRequest


class _ArrayItems(sa.sql.functions.FunctionElement[Any]):
    """The texts of a JSON array as rows with one column, `value`."""

    name = "array_items"
    inherit_cache = True


@compiles(_ArrayItems, "sqlite")
def _on_sqlite(element: _ArrayItems, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_ArrayItems, "postgresql")
def _on_postgresql(element: _ArrayItems, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_elements_text({compiler.process(element.clauses, **options)})"


def of_caller() -> frozenset[str] | None:
    """See `Caller.read_groups`. None also outside of requests."""
    caller = current_caller.get()
    return None if caller is None else caller.read_groups


def of_caller_in_store(store_groups: Sequence[str] | None) -> tuple[str, ...] | None:
    """The vector store's groups that the caller belongs to. None if the caller may read all of its documents."""
    own = of_caller()
    if own is None or own.issuperset(store_groups or ()):
        return None
    return tuple(sorted(own.intersection(store_groups or ())))


def includes(read_groups: sa.ColumnElement[Any], groups: Collection[str]) -> Condition:
    """Whether a member of these groups may read a document with these read groups."""
    for_everyone = read_groups.is_(sa.null())
    if not groups:
        return for_everyone
    items = _ArrayItems(read_groups).table_valued("value")
    return for_everyone | sa.exists(sa.select(1).select_from(items).where(items.c.value.in_(sorted(groups))))


def all_among(array: sa.ColumnElement[Any], names: Collection[str]) -> Condition:
    """Whether all texts of a JSON array are among these names; false for null."""
    items = _ArrayItems(array).table_valued("value")
    others = sa.select(1).select_from(items)
    if names:
        others = others.where(items.c.value.not_in(sorted(names)))
    return array.is_not(sa.null()) & ~sa.exists(others)


def unrestricted_stores() -> sa.Select[tuple[str]]:
    """The ids of vector stores without a document that has read groups."""
    unrestricted = stores.alias("unrestricted_store")
    return sa.select(unrestricted.c.id).where(unrestricted.c.read_groups.is_(sa.null()))


def readable_versions() -> Condition:
    """A condition on `versions`: the caller may read it, and the versions of its document that searches find now or
    later. So a document that was restricted is hidden together with its history.
    """
    if (groups := of_caller()) is None:
        return sa.true()
    live = versions.alias("live_version")
    unreadable = sa.exists().where(
        live.c.document_id == versions.c.document_id, live.c.state.in_(LIVE), ~includes(live.c.read_groups, groups)
    )
    is_readable = includes(versions.c.read_groups, groups) & ~unreadable
    return versions.c.store_id.in_(unrestricted_stores()) | is_readable


def is_readable(read_groups: Collection[str] | None) -> bool:
    """Whether the caller may read what has these read groups."""
    own = of_caller()
    return own is None or not read_groups or not own.isdisjoint(read_groups)


def check_own(read_groups: Collection[str]) -> None:
    """Raises InvalidRequest if the caller could not read a document with these read groups itself."""
    if not is_readable(read_groups):
        raise InvalidRequest(
            "read_groups: must include a group of your own, unless you have the scope admin", param="read_groups"
        )
