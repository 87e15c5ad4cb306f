"""`GET /v1/models`: the models that a request can name."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Literal

from openai.types import Model as OpenAIModel
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.http.clients.served_models import ServedModel
from rag.http.openapi.route import Operation
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route

OWNER = "rag"
_TAG = "Language model"


class Model(OpenAIModel):
    """OpenAI's model object, with vLLM's `parent` and `max_model_len`, `kind`, and `input_modalities`."""

    kind: str = Field(description="rag, language, adapter or embedding.")
    parent: str | None = Field(description="The language model that an adapter, or `rag`, uses.")
    max_model_len: int | None = Field(description="Maximum number of tokens of prompt and answer together.")
    input_modalities: list[Literal["text", "image"]] = Field(description="What the model reads.")


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[Model]


LIST = Operation(
    id="list_models",
    scopes=("ask", "generate"),
    tag=_TAG,
    summary="List the models that a request can name",
    response=ModelList,
    response_description="The models.",
)
GET = Operation(
    id="get_model",
    scopes=("ask", "generate"),
    tag=_TAG,
    summary="Get a model",
    response=Model,
    response_description="The model.",
    errors=[404],
)


class ModelRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts
        self._created = int(time.time())

    def routes(self) -> list[Route]:
        return [
            V1Route("GET", "/models", self.list, LIST),
            V1Route("GET", "/models/{model:path}", self.get, GET),  # names contain slashes and colons
        ]

    async def list(self, request: Request) -> Response:
        models = [self._object(model) for model in self._parts.models.listed()]
        return model_response(ModelList(object="list", data=models))

    async def get(self, request: Request) -> Response:
        if not (name := request.path_params["model"]):  # `/v1/models/`
            return await self.list(request)
        model = await self._parts.models.named(name)
        return model_response(self._object(replace(model, name=name)))

    def _object(self, model: ServedModel) -> Model:
        return Model(
            id=model.name,
            object="model",
            created=self._created,
            owned_by=OWNER,
            kind=model.kind,
            parent=model.parent,
            max_model_len=model.context_tokens,
            input_modalities=["text", "image"] if model.reads_images else ["text"],
        )
