"""`POST /v1/load_lora_adapter` and `/v1/unload_lora_adapter`, as in vLLM's own server."""

from __future__ import annotations

from typing import TypeVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rag.errors import Conflict
from rag.http.bodies.adapters_wire import LoadAdapterRequest, UnloadAdapterRequest
from rag.http.openapi.route import Operation
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.route import V1Route
from rag.http.validation.wire_model import WireModel

_TIMEOUT_S = 600.0
"""Long enough to download an adapter."""
AdapterBody = TypeVar("AdapterBody", bound=WireModel)
_TAG = "Adapters"
_ERRORS = (400, 403, 404, 409, 413, 504)
LOAD = Operation(
    id="load_lora_adapter",
    scopes=("admin",),
    tag=_TAG,
    summary="Load a LoRA adapter",
    description="Requires `RAG_LLM__RUNTIME_ADAPTERS=true`.",
    body=LoadAdapterRequest,
    response_description="The adapter was loaded.",
    errors=_ERRORS,
)
UNLOAD = Operation(
    id="unload_lora_adapter",
    scopes=("admin",),
    tag=_TAG,
    summary="Unload a LoRA adapter",
    description="Requires `RAG_LLM__RUNTIME_ADAPTERS=true`.",
    body=UnloadAdapterRequest,
    response_description="The adapter was unloaded.",
    errors=_ERRORS,
)


class AdapterRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            V1Route("POST", "/load_lora_adapter", self.load, LOAD),
            V1Route("POST", "/unload_lora_adapter", self.unload, UNLOAD),
        ]

    async def load(self, request: Request) -> Response:
        body = await _read(LoadAdapterRequest, request)
        model_names = {model.name for model in self._parts.models.all() if model.kind != "adapter"}
        if body.lora_name in model_names:
            raise Conflict(f"lora_name: {body.lora_name} is already the name of a model", param="lora_name")
        sent = body.model_dump()
        await self._parts.dependencies.clients["LLM"].call("/load_adapter", sent, timeout_s=_TIMEOUT_S)
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' added successfully.")

    async def unload(self, request: Request) -> Response:
        body = await _read(UnloadAdapterRequest, request)
        self._parts.dependencies.require("LLM")
        sent = body.model_dump()
        await self._parts.dependencies.clients["LLM"].call("/unload_adapter", sent, timeout_s=_TIMEOUT_S)
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' removed successfully.")


async def _read(model: type[AdapterBody], request: Request) -> AdapterBody:
    body = await model.from_http_request(request, None)
    if body.refused is not None:
        raise body.refused
    return body
