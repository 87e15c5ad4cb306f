"""Requests to `/v1/responses`, and what the fakes of the other services answer."""

from __future__ import annotations

from typing import Any

import httpx

from rag.types import Hit
from tests.support.builders import a_chunk
from tests.support.edge_service import MODEL, EdgeService

HITS = (
    Hit(a_chunk("zebras eat grass", filename="zebras.md", page=3, attributes={"year": 2020}), 0.9),
    Hit(a_chunk("lions eat zebras", filename="lions.md"), 0.5),
)
CITED = "Grass [1], mostly [2]. Nobody knows [7] more."
SEARCH: Any = {"type": "file_search", "vector_store_ids": ["animals", "plants"]}


async def create_response(edge: EdgeService, **body: Any) -> httpx.Response:
    return await edge.post("/v1/responses", {"model": MODEL, "input": "Hello there", **body})
