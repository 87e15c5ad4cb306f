"""What every process of the bundle begins with: its settings, its log, its clients."""

from __future__ import annotations

import functools
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from rag import config
from rag.blobs import BlobFolder
from rag.config import Settings
from rag.http.clients.service_client import ServiceClient
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.request_id import RequestIdFilter
from rag.ports import Cache

MIB = 2**20


@functools.cache
def settings() -> Settings:
    return config.load()


def lifecycle(name: str, *, is_edge: bool = False) -> Lifecycle:
    return Lifecycle(name, is_edge=is_edge, drain_timeout_s=settings().server.drain_timeout_s)


def middleware_options(life: Lifecycle) -> dict[str, Any]:
    """Options of `rag.http.middleware.service_middleware.ServiceMiddleware` for this service."""
    options = settings()
    upload, body = options.ingest.max_request_mib * MIB, options.server.max_body_mib * MIB
    inner = 64 * MIB
    return {
        "lifecycle": life,
        "max_in_flight": options.server.max_in_flight,
        "max_body_bytes": {"*": body if life.is_edge else inner, "/ingest": upload, "/v1/files": upload},
        "access_log": options.server.access_log and life.is_edge,
    }


def configure_logging() -> None:
    """One line a record on stderr, with the request's id."""
    handler = logging.StreamHandler()
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(request_id)s: %(message)s"))
    root = logging.getLogger("rag")
    root.handlers, root.propagate = [handler], False
    root.setLevel(logging.INFO)


def address_of(service: Any) -> str:
    """Where a BentoML service of this bundle answers; empty when it is not being served."""
    url: str | None = service.url
    return url or ""


def prepare_model(part: Literal["llm", "encoder", "tokenizer"]) -> None:
    """Fetch or make a model before the service's process starts, in a process of its own.

    Raises:
        SystemExit: it is not to be had; what to do has been printed.
    """
    command = [sys.executable, "-m", "rag", "prepare", "--quiet", "--only", part]
    sources = str(Path(__file__).resolve().parents[2])  # in a Bento, which is served from any folder
    path = os.pathsep.join(filter(None, (sources, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def client_of(name: str, url: str) -> ServiceClient:
    headers = {"Runner-Name": name}
    if key := os.environ.get("BENTO_CLOUD_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    return ServiceClient(name, url, headers)


def make_cache() -> Cache:
    from rag.adapters.memory_cache import MemoryCache
    from rag.adapters.redis_cache import RedisCache

    chosen = settings().cache
    if chosen.url is None:
        return MemoryCache(chosen.max_mib * MIB)
    return RedisCache(chosen.url.get_secret_value())


@functools.cache
def blob_folder() -> BlobFolder:
    return BlobFolder(settings().blobs_dir)
