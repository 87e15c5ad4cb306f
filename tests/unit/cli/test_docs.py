"""docs/commands.md agrees with the commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from rag.cli import main

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "commands.md").read_text()
BLOCKS = re.findall(r"^```(?:sh|console)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def commands(group: click.Group, prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    result: dict[tuple[str, ...], click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            result |= commands(command, (*prefix, name))
        else:
            result[(*prefix, name)] = command
    return result


def examples() -> list[list[str]]:
    calls = re.findall(r"(?:^|\()(?:\$ python -m )?rag ([a-z][^\n]*)", "\n".join(BLOCKS), re.MULTILINE)
    return [shlex.split(re.split(r" \|| \|\||\)$", call)[0]) for call in calls]


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_every_example_is_a_valid_command_line(words: list[str]) -> None:
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)


@pytest.mark.parametrize("path", sorted(commands(main)), ids=" ".join)
def test_every_command_has_an_example(path: tuple[str, ...]) -> None:
    documented = any(tuple(words[: len(path)]) == path for words in examples())
    assert documented or f"`{path[-1]} ID...`" in PAGE
