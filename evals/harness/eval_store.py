"""The vector store that holds the documents of an evaluation set. An existing one is reused."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from evals.harness.client import NotFound, request_json
from evals.harness.eval_set import EvalSet, InputError
from rag.types import JsonObject
from rag.upload import LocalFile, ServiceError, UploadTarget, upload_files

_POLL_S = 0.5
_MAX_ATTEMPTS = 7
_MAX_NAMED = 5

ShowCount = Callable[[int, int], object]
"""Progress callback: done, total."""


@dataclass(frozen=True, slots=True)
class EvalStore:
    """The vector store of an evaluation set."""

    store_id: str
    name: str
    embedder: str
    documents: int
    ingest_s: float
    """0 if all documents were already indexed."""


def store_name(chosen: EvalSet) -> str:
    """A name that depends on the documents and their chunking."""
    return f"eval-{re.sub(r'[^A-Za-z0-9_-]+', '-', chosen.name)[:40]}-{chosen.corpus_hash[:12]}"


def ensure_indexed(
    client: httpx.Client,
    chosen: EvalSet,
    *,
    fresh: bool = False,
    show: ShowCount = lambda _done, _total: None,
    pause: Callable[[float], object] = time.sleep,
) -> EvalStore:
    """The set's vector store, after all its documents are indexed.

    Args:
        fresh: Delete an existing one first, so that it is built with the current settings of the service.

    Raises:
        InputError: the service rejected a document or could not read it.
        ServiceError: any other refusal of the service.
    """
    name = store_name(chosen)
    store = _existing(client, name)
    if store is not None and fresh:
        request_json(client, "DELETE", f"/v1/vector_stores/{store['id']}")
        store = None
    if store is None:
        body: JsonObject = {"name": name, "description": f"Documents of the evaluation set {chosen.name}"}
        store = request_json(client, "POST", "/v1/vector_stores", _with_chunking(body, chosen))
    started, store_id, ingest_s = time.monotonic(), str(store["id"]), 0.0
    if not _is_complete(store, chosen):
        _upload_all(UploadTarget(client, {"vector_store": store_id, "wait_s": "0"}, pause), chosen)
        store = _wait_until_indexed(client, store_id, len(chosen.documents), show, pause)
        ingest_s = time.monotonic() - started
    _check(client, store, chosen)
    return EvalStore(store_id, name, str(store.get("embedder", "")), len(chosen.documents), round(ingest_s, 2))


def _existing(client: httpx.Client, name: str) -> JsonObject | None:
    try:
        return request_json(client, "GET", f"/v1/vector_stores/{name}")
    except NotFound:
        return None


def _with_chunking(body: JsonObject, chosen: EvalSet) -> JsonObject:
    return body if chosen.chunking is None else {**body, "chunking_strategy": dict(chosen.chunking)}


def _is_complete(store: JsonObject, chosen: EvalSet) -> bool:
    counts = store["file_counts"]
    return bool(counts["completed"] == counts["total"] == len(chosen.documents))


def _upload_all(target: UploadTarget, chosen: EvalSet) -> None:
    with _as_files(chosen) as uploads:
        for outcome in upload_files(target, uploads):
            if outcome.failures:
                refusal = outcome.failures[0]
                raise InputError(f"{chosen.name}: the service rejected {refusal.name}: {refusal.message}")


@contextmanager
def _as_files(chosen: EvalSet) -> Iterator[Sequence[LocalFile]]:
    """All documents as files on disk, for uploading."""
    with tempfile.TemporaryDirectory(prefix="rag-eval-") as folder:
        uploads = []
        for number, document in enumerate(chosen.documents):
            path = document.path
            if path is None:
                path = Path(folder, f"{number}.txt")
                path.write_bytes(document.content())
            uploads.append(LocalFile(path, document.filename, path.stat().st_size))
        yield uploads


def _wait_until_indexed(
    client: httpx.Client, store_id: str, total: int, show: ShowCount, pause: Callable[[float], object]
) -> JsonObject:
    while True:
        store = request_json(client, "GET", f"/v1/vector_stores/{store_id}", tries=_MAX_ATTEMPTS)
        waiting = int(store["file_counts"]["in_progress"])
        show(total - waiting, total)
        if not waiting:
            return store
        pause(_POLL_S)


def _check(client: httpx.Client, store: JsonObject, chosen: EvalSet) -> None:
    if _is_complete(store, chosen):
        return
    path = f"/v1/vector_stores/{store['id']}/files"
    failed = request_json(client, "GET", path, filter="failed", limit=_MAX_NAMED)["data"]
    if failed:
        reasons = "; ".join(f"{row['filename']}: {(row.get('last_error') or {}).get('message')}" for row in failed)
        raise InputError(f"{chosen.name}: unreadable documents: {reasons}")
    counts = store["file_counts"]
    raise ServiceError(
        f"the vector store {store['name']} has {counts['completed']} of the set's {len(chosen.documents)} documents, "
        f"and {counts['total']} documents in total; use --fresh to rebuild it"
    )
