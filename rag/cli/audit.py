"""`audit`: who did what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import click

from rag.cli.keys.commands import local_option, service_url
from rag.cli.options import json_option, limit_option, url_option, without_none
from rag.cli.output import fail, format_time, print_json_lines, print_table
from rag.cli.service_client import api_path, connect, list_rows
from rag.errors import RagError
from rag.types import JsonObject

_PAGE_SIZE = 100
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.option("--tenant", help="Only requests of this tenant.")
@click.option("--key", help="Only requests with the API key of this id.")
@click.option("--action", help="Only this operation, such as create_key or delete_file.")
@click.option("--since", type=_TIME, help="Only from this local time on, such as 2026-01-31 or 2026-01-31T15:00.")
@click.option("--until", type=_TIME, help="Only before this local time.")
@limit_option
@local_option
@url_option
@json_option
def audit(
    tenant: str | None,
    key: str | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    local: bool,
    url: str,
    as_json: bool,
) -> None:
    """Show the audit log, newest entries first.

    As with `keys`, it is read from the service with RAG_API_KEY or --url, and otherwise from the catalog.
    """
    wanted = {"tenant": tenant, "key": key, "action": action, "since": _seconds(since), "until": _seconds(until)}
    service = service_url(url, local)
    rows = _rows_of_catalog(wanted, limit) if service is None else _rows_of_service(service, wanted, limit)
    if as_json:
        print_json_lines(rows)
    else:
        headings = ("time", "key", "tenant", "action", "targets", "address", "status", "error", "requests")
        print_table(headings, map(_cells, rows))


def _seconds(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _rows_of_service(url: str, wanted: dict[str, str | int | None], limit: int | None) -> Iterator[JsonObject]:
    with connect(url) as client:
        yield from list_rows(client, api_path("audit"), limit, 1, **wanted)


def _rows_of_catalog(wanted: dict[str, str | int | None], limit: int | None) -> Iterator[JsonObject]:
    from rag.bootstrap.documents import audit_log, make_files_private
    from rag.http.v1.administration.audit import AuditQuery
    from rag.http.v1.documents.objects.audit_entry import audit_entry
    from rag.http.validation.validation_errors import parsed

    make_files_private()
    left = float("inf") if limit is None else limit
    try:
        query = parsed(AuditQuery, {**without_none(wanted), "limit": _PAGE_SIZE})
        while left > 0:
            page = audit_log().page(query.cursor, query.wanted)
            rows = page.rows[: int(min(left, _PAGE_SIZE))]
            yield from (audit_entry(row).model_dump() for row in rows)
            left -= len(rows)
            if not page.has_more:
                return
            query = query.model_copy(update={"after": page.rows[-1].event.entry_id})
    except RagError as error:
        fail(error.message)


def _cells(row: JsonObject) -> tuple[object, ...]:
    key = row["key_name"] or row["key_id"]
    targets = ", ".join(row["targets"].values())
    action = row["action"] or row["route"]
    outcome = row["status"], row["error_code"], row["requests"]
    return format_time(row["created_at"]), key, row["tenant"], action, targets, row["address"], *outcome
