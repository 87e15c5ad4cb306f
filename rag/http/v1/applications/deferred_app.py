"""An application that is mounted before it exists."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import Starting
from rag.http.error_table import error_response
from rag.http.middleware.request_id import current_request_id


class DeferredApp:
    """Answers `Starting` until `app` is set. BentoML mounts applications when it reads the service's class, but the
    service's constructor creates what they need.

    It is not a `Starlette`, because BentoML would copy its routes and answer all others itself
    (docs/bentoml_issues.md#b23).
    """

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app or error_response(Starting("the service is starting"), current_request_id.get())
        await app(scope, receive, send)
