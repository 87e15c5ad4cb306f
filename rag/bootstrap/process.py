"""What every process needs: settings, logging, clients of other services, caches."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypedDict

from rag.bootstrap.access import audit_trail, edge_admission, service_admission
from rag.bootstrap.loaded_settings import settings
from rag.bootstrap.log_format import JsonFormatter, TextFormatter
from rag.http.auth.admission import SERVICE_KEY_HEADER, Admission
from rag.http.auth.audit_trail import AuditTrail
from rag.http.clients.service_client import ServiceClient
from rag.http.headers.used_tokens import AddTokens, ignore_tokens
from rag.http.middleware.browser_guard import BrowserGuard
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.request_id import RequestIdFilter
from rag.http.middleware.route_templates import RouteTemplates
from rag.ports import Cache
from rag.queues.caller_turns import CallerTurns
from rag.telemetry import tracing

MIB = 2**20
_MAX_INNER_BODY_BYTES = 64 * MIB
"""Limit of bodies between services, which carry texts and vectors."""


class MiddlewareOptions(TypedDict):
    """Options of `rag.http.middleware.service_middleware.ServiceMiddleware`."""

    lifecycle: Lifecycle
    max_in_flight: int
    max_body_bytes: dict[str, int]
    access_log: bool
    guard: BrowserGuard | None
    routes: RouteTemplates
    admission: Admission
    body_timeout_s: float | None
    audit: AuditTrail | None
    make_turns: Callable[[], CallerTurns] | None
    max_websockets: int


def make_lifecycle(name: str, *, is_edge: bool = False) -> Lifecycle:
    lifecycle = Lifecycle(name, is_edge=is_edge, drain_timeout_s=settings().server.drain_timeout_s)
    lifecycle.on_ready(_freeze_objects)
    return lifecycle


def _freeze_objects() -> None:
    """Exempt the 500,000 objects that exist after the start from garbage collection. Scanning them takes 200 to 400 ms,
    during which no request is served. Memory freed since the start, about 60 MiB, is returned to the system.
    """
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # glibc has it, musl does not
            ctypes.CDLL(None).malloc_trim(0)


def middleware_options(lifecycle: Lifecycle, service: Any) -> MiddlewareOptions:
    """The options of the middleware for this BentoML service."""
    options = settings()
    upload, body = options.ingest.max_request_mib * MIB, options.server.max_body_mib * MIB
    return {
        "lifecycle": lifecycle,
        "max_in_flight": options.server.max_in_flight,
        "max_body_bytes": {
            "*": body if lifecycle.is_edge else _MAX_INNER_BODY_BYTES,
            "/ingest": upload,
            "/v1/files": upload,
            "/v1/uploads/*": upload,
        },
        "access_log": options.server.access_log and lifecycle.is_edge,
        "guard": BrowserGuard(options.server.host_names, options.server.allowed_origins) if lifecycle.is_edge else None,
        "routes": RouteTemplates(lambda: _routes(lifecycle, service)),
        "admission": edge_admission() if lifecycle.is_edge else service_admission(),
        "body_timeout_s": options.server.request_timeout_s if lifecycle.is_edge else None,
        "audit": audit_trail() if lifecycle.is_edge else None,
        "make_turns": _caller_turns if lifecycle.is_edge else None,
        "max_websockets": options.server.max_websockets,
    }


def _caller_turns() -> CallerTurns:
    """A factory, because every process imports `service.py` and only the edge may have the metrics of this queue."""
    server = settings().server
    half_of_the_cores = max(1, (os.cpu_count() or 1) // 2)
    return CallerTurns(server.caller_turns or half_of_the_cores, max_wait_s=server.retrieve_timeout_s)


def _routes(lifecycle: Lifecycle, service: Any) -> list[str]:
    """The paths of all routes of a service, with parameters as Starlette writes them."""
    own = [api.route for api in service.apis.values()]
    if lifecycle.is_edge:
        from rag.http.published_document import public_operations

        public = [route.mounted_at + route.path for route in public_operations()]
        pages = ["/", "/static_content/{file:path}", "/ui", "/ui/{file:path}"]
        return [*own, *public, *pages, "/docs.json", "/schema.json", "/mcp"]
    if lifecycle.name == "Retriever":
        from rag.http.v1.applications.documents_app import document_routes

        no_parts: Any = None
        return [*own, *(f"/v1{route.path}" for route in document_routes(no_parts))]
    return own


def cors_options() -> dict[str, Any]:
    """Options of starlette's `CORSMiddleware`: pages of the allowed origins may call every route."""
    return {
        "allow_origins": sorted(settings().server.allowed_origins),
        "allow_methods": ["*"],
        "allow_headers": ["*"],
        "expose_headers": [
            *("x-request-id", "retry-after", "openai-poll-after-ms"),
            *(
                f"x-ratelimit-{name}-{counted}"
                for counted in ("requests", "tokens")
                for name in ("limit", "remaining", "reset")
            ),
        ],
    }


def configure_logging() -> None:
    """Log to stderr, one line per record, with the id of the request. Call it once the settings are valid."""
    handler = logging.StreamHandler()
    _format(handler)
    root = logging.getLogger("rag")
    root.handlers, root.propagate = [handler], False
    root.setLevel(logging.INFO)


def format_other_logs() -> None:
    """Let BentoML's handlers, which libraries use as well, write lines as ours: a library may log what a client sent.

    Call it once BentoML has configured its loggers.
    """
    for name in (None, "bentoml", "circus", "uvicorn.error"):
        for handler in logging.getLogger(name).handlers:
            if type(handler) is logging.StreamHandler:
                _format(handler)


def _format(handler: logging.Handler) -> None:
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(JsonFormatter() if settings().server.log_format == "json" else TextFormatter())


def start_tracing(service: str) -> None:
    """Send spans to the collector in the settings, if there is one."""
    server = settings().server
    if server.otlp_endpoint:
        tracing.start_tracing(service, server.otlp_endpoint, with_texts=server.trace_texts)


def address_of(service: object) -> str:
    """The URL of a BentoML service of this bundle; empty if it is not being served.

    Args:
        service: A class decorated with `bentoml.service`, which type checkers take for the class itself.
    """
    url: str | None = getattr(service, "url", None)
    return url or ""


def settle_data_dir() -> None:
    """Let all processes use the same data folder: a relative one is inside the folder in which the service is started.

    Run by BentoML's supervisor. The services of a Bento run in the Bento's own folder (docs/bentoml_issues.md#b28).
    """
    os.environ["RAG_DATA_DIR"] = str(settings().data_dir.absolute())


def prepare_model(part: Literal["llm", "encoder", "tokenizer"]) -> None:
    """Download or convert a model in a separate process, before the service starts.

    Raises:
        SystemExit: the model is not available; the other process has printed what to do.
    """
    command = [sys.executable, "-m", "rag", "prepare", "--quiet", "--only", part]
    sources = str(Path(__file__).resolve().parents[2])  # a Bento can be served from any folder
    path = os.pathsep.join(filter(None, (sources, os.environ.get("PYTHONPATH"))))
    completed = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)
    if completed.returncode:
        raise SystemExit(completed.returncode)


def client_of(name: str, url: str, add_tokens: AddTokens = ignore_tokens) -> ServiceClient:
    headers = {"Runner-Name": name}
    if key := os.environ.get("BENTO_CLOUD_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    if (service_key := settings().server.service_key) is not None:
        headers[SERVICE_KEY_HEADER] = service_key.get_secret_value()
    return ServiceClient(name, url, headers, add_tokens)


def make_cache() -> Cache:
    from rag.adapters.memory_cache import MemoryCache
    from rag.adapters.redis.cache import RedisCache

    cache = settings().cache
    if cache.url is None:
        return MemoryCache(cache.max_mib * MIB)
    return RedisCache(cache.url.get_secret_value())
