"""Options that several commands share, and how their values are parsed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import click

from rag.types import JsonObject

DEFAULT_URL = "http://localhost:3000"
CHUNKING_STRATEGIES = {
    "recursive": "recursive",
    "tokens": "static",
    "sentences": "sentences",
    "structure": "structure",
    "parent_child": "parent_child",
}
"""From the names on the command line to those of the API."""

_Command = TypeVar("_Command", bound="Callable[..., object] | click.Command")

url_option = click.option("--url", envvar="RAG_URL", default=DEFAULT_URL, show_default=True, help="URL of the service.")
store_option = click.option("--store", default="default", show_default=True, help="Vector store: its name or id.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit_option = click.option("--limit", type=click.IntRange(1), help="Maximum number of rows. Default: all.")
no_wait_option = click.option("--no-wait", is_flag=True, help="Print the job ids and exit without waiting.")
read_group_option = click.option(
    "--read-group",
    "read_groups",
    multiple=True,
    metavar="GROUP",
    help="A group that may read the documents; can be repeated. Default: a replaced document keeps its groups.",
)
top_k_type = click.IntRange(1, 100)


def chunking_option(command: _Command) -> _Command:
    """Adds `--chunking`, the name of a strategy or JSON; the parameter is the API's `chunking_strategy`."""
    option = click.option(
        "--chunking",
        metavar="NAME|JSON",
        callback=lambda _context, _option, value: None if value is None else chunking_strategy(value),
        help=f"How documents are split: {', '.join(CHUNKING_STRATEGIES)}, or a chunking_strategy as JSON.",
    )
    return option(command)


def object_option(name: str, *, help: str) -> Callable[[_Command], _Command]:
    """An option whose value is a JSON object."""

    def decorate(command: _Command) -> _Command:
        return click.option(name, metavar="JSON", callback=_parse_object, help=help)(command)

    return decorate


def _parse_object(context: click.Context, option: click.Parameter, value: str | None) -> JsonObject | None:
    return None if value is None else json_object(value, option.get_error_hint(context))


def json_object(value: str, hint: str) -> JsonObject:
    """Raises click.BadParameter, which names the parameter `hint`, unless the value is a JSON object."""
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise click.BadParameter("must be a JSON object", param_hint=hint)
    return parsed


def chunking_strategy(value: str) -> JsonObject:
    if value in CHUNKING_STRATEGIES:
        return {"type": CHUNKING_STRATEGIES[value]}
    if not value.lstrip().startswith("{"):
        names = ", ".join(CHUNKING_STRATEGIES)
        raise click.BadParameter(f"must be one of {names}, or a JSON object", param_hint="--chunking")
    return json_object(value, "--chunking")


def without_none(values: Mapping[str, object]) -> JsonObject:
    """A request body that holds only the options that were given."""
    return {name: value for name, value in values.items() if value is not None}
