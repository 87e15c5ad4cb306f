"""Joins the rows of a table's header into one name for each column."""

from __future__ import annotations

from collections.abc import Sequence

from rag.readers.tables.table_header import joined_names


def column_names(rows: Sequence[Sequence[str]]) -> list[str]:
    """The names from top to bottom, such as `Domestic / 2019` below `Domestic` over two columns.

    An empty cell belongs to the name on its left, except in the last row. A row with a single name, such as a unit, is
    about all columns but the first.
    """
    return joined_names([*map(_filled, rows[:-1]), _about_all(rows[-1]) or list(rows[-1])])


def _filled(row: Sequence[str]) -> list[str]:
    if about_all := _about_all(row):
        return about_all
    names: list[str] = []
    for number, name in enumerate(row):
        names.append(name or (names[-1] if number > 1 else ""))
    return names


def _about_all(row: Sequence[str]) -> list[str]:
    """The name for all columns if the row has just one; else empty."""
    names = [name for name in row if name]
    return ["", *names * (len(row) - 1)] if len(names) == 1 and not row[0] else []
