"""Checks, before the services start, that nobody can use them without permission."""

from __future__ import annotations

import sys

import click

from rag.bootstrap.access import is_loopback
from rag.bootstrap.documents import key_registry
from rag.bootstrap.loaded_settings import settings
from rag.errors import RagError

_UNPROTECTED = """The start is refused: other machines could connect at {host}, and no API key is needed. Choose one:
  - listen on this machine only: --host 127.0.0.1 (HOST=127.0.0.1 make serve)
  - make an administrator's key: python -m rag keys create NAME --scopes admin
    or set one: RAG_SERVER__ADMIN_KEY, at least 32 characters
  - accept the signed tokens of an identity provider: RAG_JWT__JWKS
  - RAG_SERVER__OPEN=true, only behind a gateway that authenticates requests"""

_WITHOUT_SERVICE_KEY = """The start is refused: other machines could connect at {host}, and the services have no key
with which they recognize each other. Choose one:
  - listen on this machine only: --host 127.0.0.1
  - RAG_SERVER__SERVICE_KEY, the same text of at least 32 characters for all services
  - RAG_SERVER__OPEN=true, only where nobody but the other services can connect"""

_services: list[str] = []
"""Services whose start this process has checked. BentoML begins with the one that it serves at `--host`; its
dependencies get Unix sockets."""


def refuse_unprotected_start(service: str, *, is_edge: bool = False) -> None:
    """Run by BentoML's supervisor before the services start.

    Raises:
        SystemExit: other machines can connect, and no key is needed; says what to do.
    """
    _services.append(service)
    host, server = _host(), settings().server
    if service != _services[0] or host is None or is_loopback(host) or server.open:
        return
    if is_edge:
        has_key = server.admin_key is not None or bool(settings().jwt.jwks)
        is_protected = has_key or settings().retrieve.url is not None or _keys_exist()
    else:
        is_protected = server.service_key is not None
    if not is_protected:
        print((_UNPROTECTED if is_edge else _WITHOUT_SERVICE_KEY).format(host=host), file=sys.stderr)
        raise SystemExit(1)


def _host() -> str | None:
    """The address that `bentoml serve` is going to listen on; None in any other process."""
    from bentoml._internal.configuration.containers import BentoMLContainer

    context = click.get_current_context(silent=True)
    if context is None or "host" not in context.params:
        return None
    return str(context.params["host"] or BentoMLContainer.http.host.get())  # BentoML's default is all interfaces


def _keys_exist() -> bool:
    try:
        return key_registry().required()
    except RagError as error:
        print(f"The API keys cannot be read: {error.message}", file=sys.stderr)
        raise SystemExit(1) from error
