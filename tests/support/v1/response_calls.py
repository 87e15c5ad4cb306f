"""Requests to `/v1/responses`, and what the fakes of the other services answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from rag.types import Hit
from tests.support.builders import a_chunk
from tests.support.servers.edge_service import MODEL, EdgeService

HITS = (
    Hit(a_chunk("zebras eat grass", filename="zebras.md", page=3, attributes={"year": 2020}), 0.9),
    Hit(a_chunk("lions eat zebras", filename="lions.md"), 0.5),
)
CITED = "Grass [1], mostly [2]. Nobody knows [7] more."
SEARCH: Any = {"type": "file_search", "vector_store_ids": ["animals", "plants"]}
ADD: Any = {
    "type": "function",
    "name": "add",
    "description": "Adds two numbers.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    "strict": True,
}
SAY: Any = {"type": "function", "name": "say", "parameters": {"type": "object", "properties": {}}}


async def create_response(edge: EdgeService, **body: Any) -> httpx.Response:
    return await edge.post("/v1/responses", {"model": MODEL, "input": "Hello there", **body})


async def stream_events(edge: EdgeService, **body: Any) -> list[Any]:
    async with edge.openai() as client:
        stream = await client.responses.create(**{"model": MODEL, "input": "Hello there", **body}, stream=True)
        return [event async for event in stream]


def normalize(value: Any) -> Any:
    """Replace ids and times by constants."""
    if isinstance(value, Mapping):
        return {key: 0 if key.endswith("_at") else normalize(part) for key, part in value.items()}
    if isinstance(value, list):
        return [normalize(part) for part in value]
    return re.sub(r"_[0-9a-f]{32}", "_id", value) if isinstance(value, str) else value
