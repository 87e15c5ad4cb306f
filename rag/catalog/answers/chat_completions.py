"""Kept chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from rag.catalog import listing
from rag.catalog.answers import items, kept
from rag.catalog.tables.rows import ResultRow, read_row
from rag.catalog.tables.schema import chat_completions
from rag.errors import NotFound
from rag.records import Cursor, NewCompletion, Page
from rag.types import JsonObject


@dataclass(frozen=True, slots=True)
class CompletionRow:
    id: str
    body: JsonObject
    metadata: Mapping[str, str]


def insert(connection: sa.Connection, new: NewCompletion, retention_s: float) -> None:
    own = {"id": new.completion_id, "body": new.body, "metadata": dict(new.metadata), "model": new.model}
    columns = kept.new_columns(retention_s, new.body, own["metadata"], new.messages)
    connection.execute(sa.insert(chat_completions).values(**own, **columns))
    items.append(connection, new.completion_id, new.messages)


def get(connection: sa.Connection, completion_id: str, *, for_update: bool = False) -> CompletionRow:
    """Raises NotFound.

    Args:
        for_update: Whether other transactions that want to change the completion wait for this one.
    """
    found = kept.find(connection, chat_completions, CompletionRow, completion_id, for_update=for_update)
    if found is None:
        param = "completion_id"
        raise NotFound(f"{param}: there is no chat completion {completion_id[:80]!r}", param=param)
    return found


def page(
    connection: sa.Connection, cursor: Cursor, model: str | None, metadata: Mapping[str, str]
) -> Page[CompletionRow]:
    """Kept completions of the caller, in the order of the cursor.

    Args:
        model: Only completions of this model; None: all.
        metadata: Only completions with all of these.
    """
    wanted = sa.select(chat_completions).where(kept.usable(chat_completions))
    if model is not None:
        wanted = wanted.where(chat_completions.c.model == model)
    for key, value in metadata.items():
        wanted = wanted.where(chat_completions.c.metadata[key].as_string() == value)
    columns = chat_completions.c
    return listing.page(connection, wanted, columns.created_at, columns.id, cursor, _row)


def set_metadata(connection: sa.Connection, row: CompletionRow, metadata: Mapping[str, str]) -> None:
    kept.set_metadata(connection, chat_completions, row.id, row.metadata, metadata)


def _row(row: ResultRow) -> CompletionRow:
    return read_row(CompletionRow, row)
