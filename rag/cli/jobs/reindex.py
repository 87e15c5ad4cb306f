"""`reindex`: moves a vector store to another embedding model while it keeps answering questions."""

from __future__ import annotations

import sys

import click

from rag.cli.jobs.commands import print_outcome
from rag.cli.jobs.follow import follow
from rag.cli.options import json_option, no_wait_option, store_option, url_option
from rag.cli.output import print_fields, print_json, print_line, print_result
from rag.cli.service_client import api_path, connect, request_json
from rag.types import JsonObject


@click.command()
@click.option("--embedder", metavar="MODEL", help="Move to this embedding model: a Hugging Face id or a folder.")
@click.option("--rebuild", is_flag=True, help="Rebuild the index with the current embedding model.")
@click.option("--rollback", is_flag=True, help="Switch back to the previous index.")
@click.option("--forget", is_flag=True, help="Delete the previous index.")
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
    """Encode a vector store again with another model, switch back, or delete the previous index."""
    if sum((embedder is not None, rebuild, rollback, forget)) != 1:
        raise click.UsageError("give exactly one of --embedder MODEL, --rebuild, --rollback, --forget")
    path = api_path("vector_stores", store, "reindex")
    with connect(url) as client:
        if forget:
            _print_deleted_index(request_json(client, "POST", f"{path}/forget", {}), as_json)
            return
        if rollback:
            job = request_json(client, "POST", f"{path}/rollback", {})
        else:
            job = request_json(client, "POST", path, {"embedder": embedder})
        if no_wait:
            print_result(job, str(job["id"]), as_json=as_json)
            return
        job = follow(client, job, quiet=as_json)
        exit_code = print_outcome(client, job, as_json)
    if as_json:
        print_json(job)
    elif exit_code == 0 and not rebuild:
        model = embedder or (job.get("details") or {}).get("to") or "the previous model"
        print_line(f"Set RAG_EMBEDDER__MODEL={model} for the next start of the service.")
    sys.exit(exit_code)


def _print_deleted_index(index: JsonObject, as_json: bool) -> None:
    print_result(index, "Deleted the previous index.", as_json=as_json)
    if not as_json:
        print_fields(index.items())
