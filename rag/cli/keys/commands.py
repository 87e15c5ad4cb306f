"""The commands of `keys`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import click
from click.core import ParameterSource

from rag.auth.scopes import SCOPES
from rag.cli.keys.backends import open_keys
from rag.cli.options import json_option, url_option, without_none
from rag.cli.output import (
    format_time,
    print_json,
    print_json_lines,
    print_line,
    print_message,
    print_result,
    print_table,
)
from rag.errors import NotFound
from rag.types import JsonObject
from rag.upload import ServiceError

_DAY_S = 86_400
_LIMITS = {
    "requests-per-minute": "Limit of requests.",
    "tokens-per-minute": "Limit of tokens of the language model, embeddings and reranking.",
    "tokens-per-day": "The same for 24 hours.",
    "max-vector-stores": "Limit of vector stores that it creates.",
    "max-documents": "Limit of documents that it adds.",
    "max-stored-bytes": "Limit of bytes of files that it uploads.",
    "max-unfinished-jobs": "Limit of its jobs that have not ended.",
    "max-kept-bytes": "Limit of bytes of kept responses, chat completions and conversations.",
}
"""Options and their descriptions. They are the fields of `limits` in the API."""
local_option = click.option("--local", is_flag=True, help="Work on the catalog directly, even if RAG_API_KEY is set.")


@click.group()
def keys() -> None:
    """API keys: create, list, limit, revoke, rotate.

    With RAG_API_KEY (a key with the scope admin) or --url, the commands call the service. Otherwise they work on the
    catalog in RAG_DATA_DIR or RAG_CATALOG__URL, whether or not a service is running. The first key is created this way.
    """


def service_url(url: str, local: bool) -> str | None:
    """The service to call; None to work on the catalog."""
    source = click.get_current_context().get_parameter_source("url")
    if local or (not os.environ.get("RAG_API_KEY") and source is ParameterSource.DEFAULT):
        return None
    return url


def _parse_scopes(_context: click.Context, _option: click.Parameter, value: str) -> list[str]:
    scopes = [scope.strip() for scope in value.split(",") if scope.strip()]
    if not scopes or set(scopes) - set(SCOPES):
        raise click.BadParameter(f"must be one or more of {', '.join(SCOPES)}, separated by commas")
    return scopes


def _limit_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, help_text in reversed(_LIMITS.items()):
        command = click.option(f"--{name}", type=click.IntRange(0), help=help_text)(command)
    return command


@keys.command()
@click.argument("name")
@click.option(
    "--scopes", required=True, metavar="SCOPE[,SCOPE...]", callback=_parse_scopes, help=f"Of {', '.join(SCOPES)}."
)
@click.option("--tenant", help="Whose vector stores, files and jobs the key sees. Default: default.")
@click.option("--store", "stores", multiple=True, help="The only vector store that it may use; can be repeated.")
@click.option("--group", "groups", multiple=True, help="A group whose documents it may read; can be repeated.")
@click.option("--expires-days", type=click.FloatRange(0, min_open=True), help="Days for which it is valid.")
@_limit_options
@local_option
@url_option
@json_option
def create(
    name: str,
    scopes: list[str],
    tenant: str | None,
    stores: tuple[str, ...],
    groups: tuple[str, ...],
    expires_days: float | None,
    local: bool,
    url: str,
    as_json: bool,
    **limits: int | None,
) -> None:
    """Create a key and print its secret, which is shown only once."""
    options = {
        "tenant": tenant,
        "vector_stores": list(stores) or None,
        "groups": list(groups) or None,
        "expires_at": None if expires_days is None else int(time.time() + expires_days * _DAY_S),
        "limits": without_none(limits) or None,
    }
    body = without_none({"name": name, "scopes": scopes, **options})
    with open_keys(service_url(url, local)) as registry:
        _print_secret(registry.create(body), as_json)


def _print_secret(row: JsonObject, as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    print_message(f"{row['id']} ({row['name']}): store its secret now, it is not shown again.")
    print_line(row["secret"])


@keys.command("list")
@local_option
@url_option
@json_option
def list_keys(local: bool, url: str, as_json: bool) -> None:
    """List all keys, newest first, revoked ones too."""
    with open_keys(service_url(url, local)) as registry:
        if as_json:
            print_json_lines(registry.list())
        else:
            print_table(_HEADINGS, map(_cells, registry.list()))


_HEADINGS = ("id", "name", "secret", "tenant", "scopes", "stores", "groups", "status", "last used", "expires")


def _cells(row: JsonObject) -> tuple[object, ...]:
    stores = "all" if row.get("vector_stores") is None else ", ".join(row["vector_stores"])
    times = (format_time(row.get("last_used_at")) or "never", format_time(row.get("expires_at")) or "never")
    scopes = ", ".join(row["scopes"])
    access = row["tenant"], scopes, stores, ", ".join(row.get("groups", ()))
    return row["id"], row["name"], f"{row['prefix']}...", *access, row["status"], *times


@keys.command()
@click.argument("key_id", metavar="ID")
@_limit_options
@click.option("--remove", multiple=True, type=click.Choice(list(_LIMITS)), help="A limit to remove; can be repeated.")
@local_option
@url_option
@json_option
def limit(key_id: str, remove: tuple[str, ...], local: bool, url: str, as_json: bool, **limits: int | None) -> None:
    """Change the limits of a key. Those that are not named stay."""
    changes = {**without_none(limits), **{name.replace("-", "_"): None for name in remove}}
    with open_keys(service_url(url, local)) as registry:
        row = registry.update(key_id, {"limits": changes})
        listed = ", ".join(f"{name} {value}" for name, value in row["limits"].items() if value is not None)
        print_result(row, f"{key_id}: {listed or 'no limits'}", as_json=as_json)


@keys.command()
@click.argument("key_ids", metavar="ID...", nargs=-1, required=True)
@local_option
@url_option
@json_option
def revoke(key_ids: tuple[str, ...], local: bool, url: str, as_json: bool) -> None:
    """Revoke keys. They stop working within seconds, and cannot be restored."""
    failed = False
    with open_keys(service_url(url, local)) as registry:
        for key_id in key_ids:
            try:
                row = registry.revoke(key_id)
            except (ServiceError, NotFound) as error:
                failed = True
                print_message(f"{key_id}: {error}")
                continue
            print_result(row, f"revoked {key_id}", as_json=as_json)
    sys.exit(1 if failed else 0)


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option("--grace-s", type=click.FloatRange(0), default=0.0, help="Seconds for which the old secret still works.")
@local_option
@url_option
@json_option
def rotate(key_id: str, grace_s: float, local: bool, url: str, as_json: bool) -> None:
    """Give a key a new secret, and print it."""
    with open_keys(service_url(url, local)) as registry:
        _print_secret(registry.rotate(key_id, grace_s), as_json)
