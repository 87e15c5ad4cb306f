"""`POST /v1/load_lora_adapter` and `/v1/unload_lora_adapter`, as vLLM's own server has them."""

from __future__ import annotations

from typing import TypeVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rag.errors import Conflict
from rag.http.adapters_wire import LoadAdapterRequest, UnloadAdapterRequest
from rag.http.v1.edge_parts import EdgeParts
from rag.http.wire import WireModel

_TIMEOUT_S = 600.0
"""Long enough for an adapter that is downloaded first."""
Body = TypeVar("Body", bound=WireModel)


class AdapterRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            Route("/load_lora_adapter", self.load, methods=["POST"]),
            Route("/unload_lora_adapter", self.unload, methods=["POST"]),
        ]

    async def load(self, request: Request) -> Response:
        body = await _read(LoadAdapterRequest, request)
        taken = {model.name for model in self._parts.models.all() if model.kind != "adapter"}
        if body.lora_name in taken:
            raise Conflict(f"lora_name: {body.lora_name} is a model's name already", param="lora_name")
        sent = body.model_dump()
        await self._parts.dependencies.clients["LLM"].call("/load_adapter", sent, timeout_s=_TIMEOUT_S)
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' added successfully.")

    async def unload(self, request: Request) -> Response:
        body = await _read(UnloadAdapterRequest, request)
        self._parts.dependencies.require("LLM")
        sent = body.model_dump()
        await self._parts.dependencies.clients["LLM"].call("/unload_adapter", sent, timeout_s=_TIMEOUT_S)
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' removed successfully.")


async def _read(model: type[Body], request: Request) -> Body:
    body = await model.from_http_request(request, None)
    if body.refused is not None:
        raise body.refused
    return body
