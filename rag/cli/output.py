"""What the commands print: results on stdout as text, tables or JSON; messages and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rag.types import JsonObject

_PIPE_WIDTH = 240
"""Width of a table that does not go to a terminal: programs such as `grep` need ids and names uncut."""

stdout = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def print_line(text: str) -> None:
    stdout.print(_sanitize(text), markup=False)


def print_message(text: str) -> None:
    """A warning, an error or progress: one line on stderr."""
    stderr.print(_sanitize(text), markup=False)


def fail(message: str) -> NoReturn:
    print_message(message)
    sys.exit(1)


def print_json(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def print_result(row: JsonObject, text: str, *, as_json: bool) -> None:
    """The row of a response, or in its place a line for people."""
    if as_json:
        print_json(row)
    else:
        print_line(text)


def print_json_lines(rows: Iterable[JsonObject]) -> None:
    """Prints each row as soon as it arrives."""
    for row in rows:
        print_json(row)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table. A column with the heading `id` is never wrapped."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_sanitize("" if cell is None else str(cell))) for cell in row))
    stdout.print(table, soft_wrap=False)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line; empty values are left out."""
    present = [(name, value) for name, value in fields if value not in (None, "", {}, [])]
    width = max((len(name) for name, _ in present), default=0)
    for name, value in present:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
        print_line(f"{name:<{width}}  {text}")


def format_size(count: object) -> str:
    """A number of bytes with its unit."""
    number = float(count) if isinstance(count, int | float) else 0.0
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def format_time(seconds: object) -> str:
    """A Unix time in the local time zone; empty for anything that is no number."""
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}" if isinstance(seconds, int | float) else ""


def format_duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def truncate(text: object, length: int) -> str:
    """The text in one line of at most `length` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _sanitize(text: str) -> str:
    """Replaces control characters and lone surrogates, which file names may contain."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
