"""The documents of a set, in a vector store of their own. What is there already stays."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from evals.harness.client import NotThere, call
from evals.harness.eval_set import BadInput, EvalSet
from rag.types import JsonObject
from rag.upload import LocalFile, ServiceError, UploadTarget, upload_files

_LOOK_EVERY_S = 0.5
_TRIES = 7
_MAX_NAMED = 5

Show = Callable[[int, int], object]
"""Told how many are done, of how many."""


@dataclass(frozen=True, slots=True)
class IndexedSet:
    store_id: str
    name: str
    embedder: str
    documents: int
    ingest_s: float
    """0 when all documents were there."""


def store_name(chosen: EvalSet) -> str:
    """The same for the same documents, cut in the same way."""
    return f"eval-{re.sub(r'[^A-Za-z0-9_-]+', '-', chosen.name)[:40]}-{chosen.corpus_hash[:12]}"


def filled(
    client: httpx.Client,
    chosen: EvalSet,
    *,
    fresh: bool = False,
    show: Show = lambda _done, _total: None,
    pause: Callable[[float], object] = time.sleep,
) -> IndexedSet:
    """The set's vector store, with all its documents in it.

    Args:
        fresh: One that is there is deleted first, so that it is made with the service's settings of today.

    Raises:
        BadInput: a document that the service does not take.
        ServiceError: what else the service refuses.
    """
    name = store_name(chosen)
    store = _existing(client, name)
    if store is not None and fresh:
        call(client, "DELETE", f"/v1/vector_stores/{store['id']}")
        store = None
    if store is None:
        body: JsonObject = {"name": name, "description": f"Documents of the evaluation set {chosen.name}"}
        store = call(client, "POST", "/v1/vector_stores", _with_chunking(body, chosen))
    started, store_id, ingest_s = time.monotonic(), str(store["id"]), 0.0
    if not _is_whole(store, chosen):
        _fill(UploadTarget(client, {"vector_store": store_id, "wait_s": "0"}, pause), chosen)
        store = _followed(client, store_id, len(chosen.documents), show, pause)
        ingest_s = time.monotonic() - started
    _check(client, store, chosen)
    return IndexedSet(store_id, name, str(store.get("embedder", "")), len(chosen.documents), round(ingest_s, 2))


def _existing(client: httpx.Client, name: str) -> JsonObject | None:
    try:
        return call(client, "GET", f"/v1/vector_stores/{name}")
    except NotThere:
        return None


def _with_chunking(body: JsonObject, chosen: EvalSet) -> JsonObject:
    return body if chosen.chunking is None else {**body, "chunking_strategy": dict(chosen.chunking)}


def _is_whole(store: JsonObject, chosen: EvalSet) -> bool:
    counts = store["file_counts"]
    return bool(counts["completed"] == counts["total"] == len(chosen.documents))


def _fill(target: UploadTarget, chosen: EvalSet) -> None:
    with _as_files(chosen) as uploads:
        for outcome in upload_files(target, uploads):
            if outcome.failures:
                refusal = outcome.failures[0]
                raise BadInput(f"{chosen.name}: the service does not take {refusal.name}: {refusal.message}")


@contextmanager
def _as_files(chosen: EvalSet) -> Iterator[Sequence[LocalFile]]:
    """All documents as files on disk, which uploads are sent from."""
    with tempfile.TemporaryDirectory(prefix="rag-eval-") as folder:
        uploads = []
        for number, document in enumerate(chosen.documents):
            path = document.path
            if path is None:
                path = Path(folder, f"{number}.txt")
                path.write_bytes(document.content())
            uploads.append(LocalFile(path, document.filename, path.stat().st_size))
        yield uploads


def _followed(
    client: httpx.Client, store_id: str, total: int, show: Show, pause: Callable[[float], object]
) -> JsonObject:
    while True:
        store = call(client, "GET", f"/v1/vector_stores/{store_id}", tries=_TRIES)
        waiting = int(store["file_counts"]["in_progress"])
        show(total - waiting, total)
        if not waiting:
            return store
        pause(_LOOK_EVERY_S)


def _check(client: httpx.Client, store: JsonObject, chosen: EvalSet) -> None:
    if _is_whole(store, chosen):
        return
    path = f"/v1/vector_stores/{store['id']}/files"
    failed = call(client, "GET", path, filter="failed", limit=_MAX_NAMED)["data"]
    if failed:
        reasons = "; ".join(f"{row['filename']}: {(row.get('last_error') or {}).get('message')}" for row in failed)
        raise BadInput(f"{chosen.name}: documents that cannot be read: {reasons}")
    counts = store["file_counts"]
    raise ServiceError(
        f"the vector store {store['name']} has {counts['completed']} of the set's {len(chosen.documents)} documents, "
        f"and {counts['total']} in all; --fresh makes it anew"
    )
