"""The Embedder service over real HTTP, without BentoML, with any models."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import RagError
from rag.http.background_loader import BackgroundLoader
from rag.http.bodies.wire import EncodeRequest
from rag.http.clients.service_client import ServiceClient
from rag.http.error_table import error_response
from rag.http.native.embedder_api import EmbedderApi, EmbedderModels
from rag.http.native.internal.embedder_wire import CountRequest, EncodeSparseRequest, RerankRequest
from rag.http.validation.wire_model import WireModel
from rag.ports import Embedders, Rerankers, SparseEmbedders
from tests.fakes import FakeEmbedders, FakeRerankers, FakeSparseEmbedders
from tests.support.servers.loopback import client_of


async def an_embedder_api(
    dense: Embedders | None = None,
    sparse: SparseEmbedders | None = None,
    rerankers: Rerankers | None = None,
    sparse_model: str | None = None,
) -> EmbedderApi:
    """An API whose models are loaded. Models that are not given are fakes."""
    models = EmbedderModels(
        dense or FakeEmbedders(), sparse or FakeSparseEmbedders(), rerankers or FakeRerankers(), sparse_model
    )

    async def load() -> EmbedderModels:
        return models

    api = EmbedderApi(BackgroundLoader("the encoder", load))
    api.models.start()
    await asyncio.sleep(0)
    return api


@contextlib.asynccontextmanager
async def an_embedder_service(dense: Embedders | None = None, **models: Any) -> AsyncIterator[ServiceClient]:
    """A client of a service that has the models of `an_embedder_api`."""
    async with client_of(_routes(await an_embedder_api(dense, **models)), "Embedder") as client:
        yield client


def _routes(api: EmbedderApi) -> Starlette:
    async def ready(_: Request) -> Response:
        return JSONResponse(await api.ready())

    return Starlette(
        routes=[
            Route("/readyz", ready),
            Route("/encode", _endpoint(EncodeRequest, api.encode), methods=["POST"]),
            Route("/count", _endpoint(CountRequest, api.count), methods=["POST"]),
            Route("/encode_sparse", _endpoint(EncodeSparseRequest, api.encode_sparse), methods=["POST"]),
            Route("/rerank", _endpoint(RerankRequest, api.rerank), methods=["POST"]),
        ]
    )


def _endpoint(model: type[WireModel], handler: Callable[[Any], Awaitable[Response]]) -> Any:
    async def answer(request: Request) -> Response:
        try:
            return await handler(model.parse(await request.json()))
        except RagError as error:
            return error_response(error)

    return answer
