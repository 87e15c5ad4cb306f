"""`reindex`: a vector store moves to another embedding model while questions go on."""

from __future__ import annotations

import sys

import click

from rag.cli.follow import follow
from rag.cli.jobs import ended
from rag.cli.output import print_facts, print_json, say
from rag.cli.service import call, json_option, no_wait_option, route, service, store_option, url_option
from rag.types import JsonObject


@click.command()
@click.option("--embedder", metavar="MODEL", help="Move to this one: hub id or folder.")
@click.option("--rebuild", is_flag=True, help="Build the index anew with the model that it has.")
@click.option("--rollback", is_flag=True, help="Go back to the index before.")
@click.option("--forget", is_flag=True, help="Drop the index before.")
@store_option
@no_wait_option
@url_option
@json_option
def reindex(
    embedder: str | None,
    rebuild: bool,
    rollback: bool,
    forget: bool,
    store: str,
    no_wait: bool,
    url: str,
    as_json: bool,
) -> None:
    """Encode a vector store anew with another model, go back, or drop what the way back needs."""
    if sum((embedder is not None, rebuild, rollback, forget)) != 1:
        raise click.UsageError("give one of --embedder MODEL, --rebuild, --rollback, --forget")
    path = route("vector_stores", store, "reindex")
    with service(url) as client:
        if forget:
            _forgotten(call(client, "POST", f"{path}/forget", {}), as_json)
            return
        order, body = (f"{path}/rollback", {}) if rollback else (path, {"embedder": embedder})
        job = call(client, "POST", order, body)
        if no_wait:
            print_json(job) if as_json else say(str(job["id"]))
            return
        job = follow(client, job, quiet=as_json, seen=lambda _: None)
        code = ended(client, job, as_json)
    if as_json:
        print_json(job)
    elif code == 0 and not rebuild:
        model = embedder or (job.get("details") or {}).get("to") or "the model before"
        say(f"Set RAG_EMBEDDER__MODEL={model} for the next start of the service.")
    sys.exit(code)


def _forgotten(dropped: JsonObject, as_json: bool) -> None:
    if as_json:
        print_json(dropped)
    else:
        say("The index before is dropped.")
        print_facts(dropped.items())
