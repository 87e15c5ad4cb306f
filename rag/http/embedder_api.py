"""What the Embedder service answers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from rag.http.resource import Resource
from rag.http.wire import EncodeRequest
from rag.ports import Embedders
from rag.types import JsonObject


class EmbedderApi:
    def __init__(self, embedders: Resource[Embedders]) -> None:
        self.embedders = embedders

    async def ready(self) -> Mapping[str, Any]:
        """Facts of the configured model, after really encoding a word."""
        embedder = self.embedders.get().default
        await embedder.encode(["ready"], "query")
        return {"model": embedder.model_name, "dimensions": embedder.dimensions}

    async def encode(self, request: EncodeRequest) -> Response:
        embedders = self.embedders.get()
        embedder = embedders.default if request.model is None else await embedders.named(request.model)
        vectors = await embedder.encode(request.texts, request.kind)
        body: JsonObject = {"model": embedder.model_name, "dimensions": int(vectors.shape[1])}
        if request.encoding_format == "base64":
            return JSONResponse({**body, "embeddings": base64.b64encode(vectors.astype("<f4").tobytes()).decode()})
        return JSONResponse({**body, "embeddings": vectors.tolist()})
