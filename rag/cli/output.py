"""What the commands print: JSON or tables on stdout, troubles and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 240
"""Of a table that does not go to a terminal: ids and names are for `grep` there, and shall not be cut."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    out.print(_harmless(text), markup=False)


def complain(text: str) -> None:
    err.print(_harmless(text), markup=False)


def fail(message: str) -> NoReturn:
    complain(message)
    sys.exit(1)


def print_json(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def print_rows(rows: Iterable[Any]) -> None:
    """JSON lines, each as soon as it is there."""
    for row in rows:
        print_json(row)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A column whose heading is `id` is never cut."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_harmless("" if cell is None else str(cell))) for cell in row))
    out.print(table, soft_wrap=False)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line; what is not known is left out."""
    known = [(name, value) for name, value in facts if value not in (None, "", {}, [])]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
        say(f"{name:<{width}}  {text}")


def size(count: object) -> str:
    """Bytes, for people."""
    number = float(count) if isinstance(count, int | float) else 0.0
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def moment(seconds: object) -> str:
    """A Unix time where the reader is."""
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}" if isinstance(seconds, int | float) else ""


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def shortened(text: object, length: int) -> str:
    """In one line."""
    line = " ".join(str(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _harmless(text: str) -> str:
    """Without what a terminal would obey, or an encoder refuse: names on disk can hold anything."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
