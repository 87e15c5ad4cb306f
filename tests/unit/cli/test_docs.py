"""docs/commands.md documents every command, and its examples are valid command lines."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from rag.cli import main

COMMANDS_MD = (Path(__file__).resolve().parents[3] / "docs" / "commands.md").read_text()
BLOCKS = re.findall(r"^```(?:sh|console)\n(.*?)^```", COMMANDS_MD, re.DOTALL | re.MULTILINE)


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
def test_every_command_is_documented(path: tuple[str, ...]) -> None:
    has_example = any(tuple(words[: len(path)]) == path for words in examples())
    assert has_example or f"`{path[-1]} ID...`" in COMMANDS_MD
