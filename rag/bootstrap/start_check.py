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
  - RAG_SERVER__OPEN=true, only behind a gateway that authenticates requests"""


def refuse_unprotected_start() -> None:
    """Run by BentoML's supervisor before the services start.

    Raises:
        SystemExit: other machines can connect, and no key is needed; says what to do.
    """
    host, server = _host(), settings().server
    if host is None or is_loopback(host) or server.open or server.admin_key is not None:
        return
    if settings().retrieve.url is None and not _keys_exist():
        print(_UNPROTECTED.format(host=host), file=sys.stderr)
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
