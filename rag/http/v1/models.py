"""`GET /v1/models`: what a request can name."""

from __future__ import annotations

import time
from typing import Any

from openai.types import Model
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.http.clients.served_models import ServedModel
from rag.http.v1.edge_parts import EdgeParts
from rag.types import JsonObject

OWNER = "rag"


class ModelRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts
        self._since = int(time.time())

    def routes(self) -> list[Route]:
        one = Route("/models/{model:path}", self.retrieve, methods=["GET"])  # names have slashes and colons
        return [Route("/models", self.list, methods=["GET"]), one]

    async def list(self, request: Request) -> Response:
        models = [self._object(model) for model in self._parts.models.all()]
        return JSONResponse({"object": "list", "data": models})

    async def retrieve(self, request: Request) -> Response:
        return JSONResponse(self._object(await self._parts.models.named(request.path_params["model"])))

    def _object(self, model: ServedModel) -> JsonObject:
        """OpenAI's, and vLLM's `parent` and `max_model_len` beside our `kind`."""
        more: Any = {"kind": model.kind, "parent": model.parent, "max_model_len": model.context_tokens}
        found = Model(id=model.name, object="model", created=self._since, owned_by=OWNER, **more)
        return found.model_dump(exclude_unset=True)
