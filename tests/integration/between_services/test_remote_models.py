"""The Embedder's remote sparse encoders and rerankers: real HTTP on loopback, fake models."""

from __future__ import annotations

import asyncio

import pytest

from rag.errors import DependencyUnavailable, InvalidRequest, ModelNotFound, SetupError
from rag.http.clients.remote_models import RemoteReranker, RemoteSparseEmbedder, RemoteSparseEmbedders
from tests.fakes import FakeReranker, FakeRerankers, FakeSparseEmbedders
from tests.support.servers.embedder_service import an_embedder_service

pytestmark = pytest.mark.integration


async def test_sparse_models_are_requested_by_name() -> None:
    service = FakeSparseEmbedders("one", "two")
    async with an_embedder_service(sparse=service, sparse_model="one") as client:
        remote = RemoteSparseEmbedders(client)
        sparse_embedder = await remote.named("two")
        assert sparse_embedder.model_name == "two"
        assert await remote.named("two") is sparse_embedder
        texts = ["zebra zebra", "rows", ""]
        assert await sparse_embedder.encode(texts, "passage") == service.models["two"].vectors(texts)
        assert service.models["two"].calls[-1] == (tuple(texts), "passage")
        with pytest.raises(ModelNotFound, match="three"):
            await remote.named("three")
        assert (await client.ready())["sparse_model"] == "one"


async def test_the_configured_sparse_model_needs_no_name() -> None:
    async with an_embedder_service(sparse=FakeSparseEmbedders("one"), sparse_model="one") as client:
        answer = await client.call("/encode_sparse", {"texts": ["zebra"]}, timeout_s=5)
        assert answer["model"] == "one"
        assert len(answer["embeddings"][0]["indices"]) == len(answer["embeddings"][0]["values"]) == 1
    async with an_embedder_service(sparse=FakeSparseEmbedders("one")) as client:
        with pytest.raises(ModelNotFound, match="RAG_EMBEDDER__SPARSE_MODEL"):
            await client.call("/encode_sparse", {"texts": ["zebra"]}, timeout_s=5)
        assert "sparse_model" not in await client.ready()


async def test_a_failing_sparse_model_is_reported() -> None:
    service = FakeSparseEmbedders("one")
    async with an_embedder_service(sparse=service) as client:
        service.models["one"].failure = DependencyUnavailable("out of memory")
        with pytest.raises(DependencyUnavailable, match="out of memory"):
            await RemoteSparseEmbedder(client, "one").encode(["zebra"], "query")


async def test_rerankers_are_requested_by_kind_and_name() -> None:
    service = FakeRerankers(("late_interaction", "encoder"), ("cross_encoder", "judge"))
    async with an_embedder_service(rerankers=service) as client:
        for kind, model in (("late_interaction", "encoder"), ("cross_encoder", "judge")):
            remote = RemoteReranker(client, kind, model, 5.0)  # type: ignore[arg-type]
            await remote.connect()
            assert remote.name == f"{kind}:{model}"
            assert await remote.rerank("a zebra", ["zebra", "a zebra", ""]) == [0.5, 1.0, 0.0]
            assert service.rerankers[kind, model].calls[-1] == ("a zebra", ("zebra", "a zebra", ""))  # type: ignore[index]
        answer = await client.call("/rerank", {"query": "zebra", "texts": ["x"], "kind": "cross_encoder"}, timeout_s=5)
        assert answer == {"model": "cross_encoder:judge", "scores": [0.0]}


async def test_an_unknown_reranker_is_a_setup_error() -> None:
    async with an_embedder_service() as client:
        with pytest.raises(SetupError, match=r"RAG_RERANK__MODEL: .*'none'"):
            await RemoteReranker(client, "cross_encoder", "none", 5.0).connect()
        with pytest.raises(ModelNotFound):
            await RemoteReranker(client, "cross_encoder", "none", 5.0).rerank("zebra", ["text"])


async def test_a_slow_reranker_times_out() -> None:
    service = FakeRerankers(("cross_encoder", "slow"))
    service.rerankers["cross_encoder", "slow"] = FakeReranker("slow", pause_s=20)
    async with an_embedder_service(rerankers=service) as client:
        async with asyncio.timeout(5):
            with pytest.raises(DependencyUnavailable, match=r"0\.2 s; see RAG_RERANK__TIMEOUT_S"):
                await RemoteReranker(client, "cross_encoder", "slow", 0.2).rerank("zebra", ["text"])


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/rerank", {"texts": ["a"]}, "query"),
        ("/rerank", {"query": "a", "texts": []}, "texts"),
        ("/rerank", {"query": "a", "texts": ["b"], "kind": "remote"}, "kind"),
        ("/rerank", {"query": "a", "texts": ["b"], "top_n": 1}, "top_n"),
        ("/encode_sparse", {"texts": []}, "texts"),
        ("/encode_sparse", {"texts": ["a"], "model": ""}, "model"),
        ("/encode_sparse", {"texts": ["a"], "kind": "document"}, "kind"),
    ],
)
async def test_a_refusal_of_an_invalid_request_names_the_field(path: str, body: dict[str, object], field: str) -> None:
    async with an_embedder_service() as client:
        with pytest.raises(InvalidRequest) as caught:
            await client.call(path, body, timeout_s=5)
    assert caught.value.param == field
