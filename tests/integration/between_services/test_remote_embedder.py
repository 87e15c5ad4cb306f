"""The remote encoder: real HTTP on loopback, a fake encoder."""

from __future__ import annotations

import numpy as np
import pytest

from rag.errors import ModelNotFound, Starting
from rag.http.clients.remote import RemoteEmbedder, RemoteEmbedders
from rag.http.clients.service_client import ServiceClient
from tests.fakes import FakeEmbedder, FakeEmbedders
from tests.support.servers.embedder_service import an_embedder_service

pytestmark = pytest.mark.integration


def embedders() -> FakeEmbedders:
    return FakeEmbedders(FakeEmbedder(dimensions=16), {"other": 8})


async def test_vectors_are_returned_bit_by_bit() -> None:
    async with an_embedder_service(embedders()) as client:
        remote, texts = RemoteEmbedder(client), ["one", "two words", "日本"]
        await remote.connect()
        assert (remote.model_name, remote.dimensions) == ("fake-embedder", 16)
        for kind in ("query", "passage"):
            vectors = await remote.encode(texts, kind)
            assert vectors.dtype == np.float32
            np.testing.assert_array_equal(vectors, FakeEmbedder(dimensions=16).vectors(texts))


async def test_another_model_is_requested_by_its_name() -> None:
    async with an_embedder_service(embedders()) as client:
        remote = RemoteEmbedders(client)
        await remote.connect()
        assert await remote.named("fake-embedder") is remote.default
        other = await remote.named("other")
        assert (other.model_name, other.dimensions) == ("other", 8)
        assert (await other.encode(["one"], "passage")).shape == (1, 8)
        with pytest.raises(ModelNotFound):
            await remote.named("none")


async def test_an_encoder_is_starting_before_it_is_connected() -> None:
    with pytest.raises(Starting):
        _ = RemoteEmbedder(ServiceClient("Embedder", "http://127.0.0.1:9")).dimensions
