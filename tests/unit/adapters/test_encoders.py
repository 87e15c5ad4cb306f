from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from rag.adapters.sentence_transformers.encoders import Encoders
from rag.errors import DependencyUnavailable, InvalidRequest, ModelNotFound, SetupError, Starting
from rag.http.bodies.wire import EncodeRequest
from rag.http.clients.remote import RemoteEmbedders
from rag.http.clients.service_client import ServiceClient
from rag.http.native.embedder_api import EmbedderApi
from rag.ports import Embedders
from tests.fakes import FakeEmbedder, FakeEmbedders
from tests.fakes.encoders.model_loader import FakeLoader
from tests.support.servers.embedder_service import an_embedder_api


async def test_the_default_by_its_name_is_the_default() -> None:
    default, load = FakeEmbedder(), FakeLoader()
    encoders = Encoders(default, load)
    assert encoders.default is await encoders.named("fake-embedder") is default
    assert load.loaded == []


async def test_the_least_recently_used_goes() -> None:
    load = FakeLoader()
    encoders = Encoders(FakeEmbedder(), load)
    first = await encoders.named("a")
    assert (first.model_name, first.dimensions) == ("a", 8)
    await encoders.named("b")
    assert await encoders.named("a") is first
    await encoders.named("c")
    assert await encoders.named("a") is first
    assert load.loaded == ["a", "b", "c"]
    await encoders.named("b")
    assert load.loaded == ["a", "b", "c", "b"]
    await encoders.named("a")
    assert load.loaded == ["a", "b", "c", "b"]


async def test_each_is_loaded_once_and_one_at_a_time() -> None:
    load = FakeLoader()
    load.gate.clear()
    encoders = Encoders(FakeEmbedder(), load)
    waiting = [asyncio.create_task(encoders.named(name)) for name in ("a", "b", "a", "b", "a")]
    await asyncio.sleep(0.05)
    assert load.loaded == ["a"]
    assert (await encoders.named("fake-embedder")).dimensions == 64  # which waits for nobody
    load.gate.set()
    found = await asyncio.gather(*waiting)
    assert [embedder.model_name for embedder in found] == ["a", "b", "a", "b", "a"]
    assert found[0] is found[2] is found[4]
    assert (load.loaded, load.most_at_once) == (["a", "b"], 1)


async def test_a_caller_who_leaves_does_not_end_the_loading() -> None:
    load = FakeLoader()
    load.gate.clear()
    encoders = Encoders(FakeEmbedder(), load)
    leaving, staying = (asyncio.create_task(encoders.named("a")) for _ in range(2))
    await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.sleep(0.01)
    load.gate.set()
    assert (await staying).model_name == "a"
    assert load.loaded == ["a"]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (SetupError("RAG_X: there is no folder a", param="RAG_X"), "'a' is not available: there is no folder a"),
        (ValueError("weights of secret shapes"), r"'a' could not be loaded \(ValueError\)"),
    ],
)
async def test_what_cannot_be_loaded_is_not_found(failure: Exception, words: str) -> None:
    load = FakeLoader()
    load.failure = failure
    encoders = Encoders(FakeEmbedder(), load)
    for _ in range(2):
        with pytest.raises(ModelNotFound, match=words) as caught:
            await encoders.named("a")
        assert "RAG_X" not in caught.value.message
        assert "secret" not in caught.value.message
    load.failure = None
    assert (await encoders.named("a")).model_name == "a"
    assert load.loaded == ["a", "a", "a"]


async def test_another_failure_stays_what_it_is() -> None:
    load = FakeLoader()
    load.failure = DependencyUnavailable("the disk is away")
    with pytest.raises(DependencyUnavailable, match="disk"):
        await Encoders(FakeEmbedder(), load).named("a")


# --- over HTTP -------------------------------------------------------------------------------


class DirectClient(ServiceClient):
    """Calls the Embedder service's API without a network."""

    def __init__(self, api: EmbedderApi) -> None:
        super().__init__("Embedder", "http://127.0.0.1:9")
        self._api = api
        self.bodies: list[Mapping[str, Any]] = []

    async def call(self, path: str, body: Mapping[str, Any], *, timeout_s: float) -> Any:
        assert (path, timeout_s) == ("/encode", 600)
        self.bodies.append(body)
        response = await self._api.encode(EncodeRequest.parse(body))
        return json.loads(bytes(response.body))

    async def ready(self, timeout_s: float = 2.0) -> Mapping[str, Any]:
        return await self._api.ready()


async def a_client(embedders: Embedders) -> DirectClient:
    return DirectClient(await an_embedder_api(dense=embedders))


async def test_models_by_name_over_http() -> None:
    service = FakeEmbedders(others={"small": 8})
    client = await a_client(service)
    remote = RemoteEmbedders(client)
    with pytest.raises(Starting):
        await remote.named("small")
    await remote.connect()
    assert (remote.default.model_name, remote.default.dimensions) == ("fake-embedder", 64)
    assert await remote.named("fake-embedder") is remote.default
    small = await remote.named("small")
    assert (small.model_name, small.dimensions) == ("small", 8)
    assert await remote.named("small") is small
    for embedder, own in ((remote.default, service.default), (small, service.models["small"])):
        vectors = await embedder.encode(["one", "two words"], "passage")
        np.testing.assert_array_equal(vectors, own.vectors(["one", "two words"]))
        assert own.calls[-1] == (("one", "two words"), "passage")
    assert [body.get("model") for body in client.bodies] == ["small", None, "small"]


async def test_a_model_that_is_not_there_over_http() -> None:
    service = FakeEmbedders()
    remote = RemoteEmbedders(await a_client(service))
    await remote.connect()
    with pytest.raises(ModelNotFound, match="large"):
        await remote.named("large")
    service.models["large"] = FakeEmbedder(99, "large")
    assert (await remote.named("large")).dimensions == 99


@pytest.mark.parametrize("model", ["", "x" * 513, 7])
def test_names_that_are_none(model: object) -> None:
    with pytest.raises(InvalidRequest, match="model"):
        EncodeRequest.parse({"texts": ["a"], "model": model})
