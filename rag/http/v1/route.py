"""`V1Route`: a route of the applications that are mounted at `/v1`."""

from __future__ import annotations

from rag.http.openapi.route import Handler, Method, OpenApiRoute, Operation


class V1Route(OpenApiRoute):
    def __init__(self, method: Method, path: str, handler: Handler, operation: Operation) -> None:
        super().__init__(method, path, handler, operation, mounted_at="/v1")
