"""The LLM service over real HTTP, without BentoML, with any language model."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.errors import RagError
from rag.http.bodies.adapters_wire import LoadAdapterRequest, UnloadAdapterRequest
from rag.http.clients.service_client import ServiceClient
from rag.http.error_table import error_response
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.http.native.generate_wire import WriteRequest
from rag.http.native.llm_api import LlmApi
from rag.http.validation.wire_model import WireModel
from rag.ports import Adapters, Generator
from tests.support.servers.loopback import client_of


@contextlib.asynccontextmanager
async def an_llm_service(
    generator: Generator, adapters: Adapters | None = None, facts: Mapping[str, Any] | None = None
) -> AsyncIterator[ServiceClient]:
    """A client of the service. If `facts` are given, the service is ready and reports them."""
    life = Lifecycle("LLM")

    async def ready() -> Mapping[str, Any]:
        return facts or {}

    if facts is not None:
        life.on_probe(ready)
    api = LlmApi(generator, adapters=adapters, keep_alive_s=5, timeout_s=120)
    routes = [
        Route("/generate", _endpoint(WriteRequest, api.generate), methods=["POST"]),
        Route("/load_adapter", _endpoint(LoadAdapterRequest, api.load_adapter), methods=["POST"]),
        Route("/unload_adapter", _endpoint(UnloadAdapterRequest, api.unload_adapter), methods=["POST"]),
    ]
    async with client_of(ServiceMiddleware(Starlette(routes=routes), life, 100, {"*": 2**22})) as client:
        yield client


def _endpoint(model: type[WireModel], handler: Callable[[Any], Awaitable[Response]]) -> Any:
    async def answer(request: Request) -> Response:
        parsed = await model.from_http_request(request, None)
        try:
            if parsed.refused is not None:
                raise parsed.refused
            return await handler(parsed)
        except RagError as error:
            return error_response(error)

    return answer
