"""`/v1/load_lora_adapter` and `/v1/unload_lora_adapter`: the edge and the LLM service, with fake adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fakes import FakeAdapters
from tests.support.servers.edge_service import EdgeService, an_edge


@pytest.fixture
def adapters() -> FakeAdapters:
    return FakeAdapters(sql="/models/sql")


@pytest.fixture
async def edge(adapters: FakeAdapters) -> AsyncIterator[EdgeService]:
    async with an_edge(adapters=adapters) as service:
        yield service


async def load(edge: EdgeService, name: Any, path: Any = "/models/new", **more: Any) -> Any:
    return await edge.post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": path, **more})


async def test_an_adapter_is_loaded_and_unloaded(edge: EdgeService, adapters: FakeAdapters) -> None:
    loaded = await load(edge, "team/new-1.0")
    assert (loaded.status_code, loaded.text) == (200, "Success: LoRA adapter 'team/new-1.0' added successfully.")
    assert adapters.loaded == {"sql": "/models/sql", "team/new-1.0": "/models/new"}
    unloaded = await edge.post("/v1/unload_lora_adapter", {"lora_name": "sql"})
    assert (unloaded.status_code, unloaded.text) == (200, "Success: LoRA adapter 'sql' removed successfully.")
    assert adapters.loaded == {"team/new-1.0": "/models/new"}


async def test_loading_a_loaded_name_is_a_conflict_unless_in_place(edge: EdgeService, adapters: FakeAdapters) -> None:
    refused = await load(edge, "sql")
    assert refused.status_code == 409
    assert refused.json()["error"]["param"] == "lora_name"
    assert (await load(edge, "sql", load_inplace=True)).status_code == 200
    assert adapters.loaded == {"sql": "/models/new"}


async def test_the_name_of_a_model_is_refused(edge: EdgeService) -> None:
    for name in ("rag", "the-encoder"):
        refused = await load(edge, name)
        assert (refused.status_code, refused.json()["error"]["param"]) == (409, "lora_name")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "lora_name"), ({"lora_name": "a"}, "lora_path"), ({"lora_name": 5, "lora_path": "a"}, "lora_name"),
        ({"lora_name": "a b", "lora_path": "a"}, "lora_name"), ({"lora_name": "rag:a", "lora_path": "a"}, "lora_name"),
        ({"lora_name": "", "lora_path": "a"}, "lora_name"), ({"lora_name": "a", "lora_path": ""}, "lora_path"),
        ({"lora_name": "a" * 129, "lora_path": "a"}, "lora_name"), ({"lora_name": "a", "lora_path": "b", "x": 1}, "x"),
        ({"lora_name": "a", "lora_path": "b", "load_inplace": "yes"}, "load_inplace"),
        ({"lora_name": "a", "lora_path": "/missing"}, "lora_path"),
    ],
    ids=str,
)  # fmt: skip
async def test_a_refusal_names_the_invalid_field(edge: EdgeService, body: dict[str, Any], param: str) -> None:
    refused = await edge.post("/v1/load_lora_adapter", body)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param


async def test_an_unknown_adapter_cannot_be_unloaded(edge: EdgeService) -> None:
    refused = await edge.post("/v1/unload_lora_adapter", {"lora_name": "nope"})
    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == "model_not_found"


async def test_adapters_of_an_external_server_cannot_be_loaded() -> None:
    async with an_edge() as edge:
        refused = await load(edge, "a")
        assert refused.status_code == 403
        assert "RAG_LLM__URL" in refused.json()["error"]["message"]


async def test_a_trailing_slash_is_not_accepted(edge: EdgeService) -> None:
    assert (await edge.post("/v1/load_lora_adapter/", {})).status_code in (404, 405)
