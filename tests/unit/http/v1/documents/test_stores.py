"""`/v1/vector_stores` and their search, through OpenAI's client and without it."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from rag.http.v1.documents.parts import StoreSearch
from rag.types import Chunk, Hit
from tests.support.v1.v1_client import V1, error_of

STATIC: Any = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}


async def test_a_vector_store_is_created_updated_and_deleted(app: V1) -> None:
    async with app.openai() as client:
        created = await client.vector_stores.create(
            name="notes",
            description="mine",
            metadata={"team": "a"},
            expires_after={"anchor": "last_active_at", "days": 7},
            chunking_strategy=STATIC,
        )
        assert (created.object, created.name, created.status, created.metadata) == (
            "vector_store",
            "notes",
            "completed",
            {"team": "a"},
        )
        assert created.expires_after is not None
        assert created.expires_at == pytest.approx(created.created_at + 7 * 86_400, abs=2)
        extras: Any = created.model_extra
        assert (extras["chunking_strategy"], extras["description"]) == (STATIC, "mine")
        assert extras["embedder"] == "fake-embedder"
        assert (await client.vector_stores.retrieve(created.id)).id == created.id
        assert (await client.vector_stores.retrieve("notes")).id == created.id
        changed = await client.vector_stores.update(created.id, name="other", metadata=None, expires_after=None)
        assert (changed.name, changed.metadata, changed.expires_after, changed.expires_at) == ("other", {}, None, None)
        deleted = await client.vector_stores.delete(created.id)
        assert (deleted.object, deleted.deleted) == ("vector_store.deleted", True)
        with pytest.raises(openai.NotFoundError):
            await client.vector_stores.retrieve(created.id)


async def test_an_update_keeps_the_fields_it_does_not_name(app: V1) -> None:
    async with app.openai() as client:
        created = await client.vector_stores.create(
            name="a", metadata={"k": "v"}, expires_after={"anchor": "last_active_at", "days": 1}
        )
        changed = await client.vector_stores.update(created.id, name="b")
        assert (changed.metadata, changed.expires_after) == ({"k": "v"}, created.expires_after)


async def test_a_vector_store_is_created_with_files(app: V1) -> None:
    async with app.openai() as client:
        files = [await client.files.create(file=(f"{n}.md", b"x"), purpose="assistants") for n in range(3)]
        created = await client.vector_stores.create(name="s", file_ids=[file.id for file in files])
        await app.finished()
        created = await client.vector_stores.retrieve(created.id)
        assert (created.file_counts.completed, created.file_counts.total, created.usage_bytes) == (3, 3, 3)
        with pytest.raises(openai.NotFoundError):
            await client.vector_stores.create(name="half", file_ids=[files[0].id, "file-none"])
        assert {store.name async for store in client.vector_stores.list()} == {"default", "s"}


async def test_vector_stores_are_paginated_in_both_orders(app: V1) -> None:
    async with app.openai() as client:
        for number in range(5):
            await client.vector_stores.create(name=str(number))
        names = [store.name async for store in client.vector_stores.list(limit=2, order="asc")]
        assert names == ["default", "0", "1", "2", "3", "4"]
        page = await client.vector_stores.list(
            limit=2, order="asc", after=(await client.vector_stores.retrieve("3")).id
        )
        assert ([store.name for store in page.data], page.has_more) == (["4"], False)
        page = await client.vector_stores.list(limit=2, order="asc", before=page.data[0].id)
        assert [store.name for store in page.data] == ["2", "3"]


INVALID: list[tuple[str | None, Any]] = [
    ("name", {"name": 3}), ("name", {"name": ""}), ("name", {"name": "x" * 257}), ("nam", {"nam": "x"}),
    ("metadata", {"metadata": {str(n): "x" for n in range(17)}}), ("metadata", {"metadata": {"k" * 65: "x"}}),
    ("metadata", {"metadata": {"k": "x" * 513}}), ("metadata", {"metadata": {"k": 1}}), ("metadata", {"metadata": []}),
    ("expires_after", {"expires_after": {"anchor": "last_active_at", "days": 0}}),
    ("expires_after", {"expires_after": {"anchor": "last_active_at", "days": 366}}),
    ("expires_after", {"expires_after": {"anchor": "created_at", "days": 1}}),
    ("expires_after", {"expires_after": {"days": 1}}), ("expires_after", {"expires_after": 3}),
    ("chunking_strategy", {"chunking_strategy": {"type": "magic"}}),
    ("chunking_strategy", {"chunking_strategy": "auto"}),
    ("chunking_strategy", {"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 1}}}),
    ("file_ids", {"file_ids": "file-1"}), ("file_ids", {"file_ids": [1]}), ("file_ids", {"file_ids": ["f"] * 2001}),
    (None, []), (None, None), (None, "x"),
]  # fmt: skip


@pytest.mark.parametrize(("param", "body"), INVALID, ids=lambda value: str(value)[:30])
async def test_a_refusal_of_an_invalid_body_names_the_field(shared_app: V1, param: str | None, body: Any) -> None:
    async with shared_app.http() as http:
        status, code, field = error_of(await http.post("/vector_stores", json=body))
        assert (status, code) == (400, "invalid_request")
        assert (field or "").split(".")[0] == (param or "")
        assert len((await http.get("/vector_stores")).json()["data"]) == 1


async def test_the_default_store_cannot_be_deleted_and_unknown_stores_are_not_found(shared_app: V1) -> None:
    async with shared_app.http() as http:
        assert error_of(await http.delete("/vector_stores/default"))[:2] == (409, "conflict")
        for method, path in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/files"), ("POST", "/search")):
            body = {"query": "x"} if path else {}
            response = await http.request(method, f"/vector_stores/none{path}", json=body)
            assert error_of(response)[:2] == (404, "vector_store_not_found")


# Search


def hit(number: int, score: float) -> Hit:
    chunk = Chunk(
        f"c-{number}", "v", f"file-{number}", f"{number}.md", f"text {number}", 0, 6, attributes={"n": number}
    )
    return Hit(chunk, score)


async def search(app: V1, **options: Any) -> list[Any]:
    async with app.openai() as client:
        return [results async for results in client.vector_stores.search("default", **options)]


async def test_a_search_returns_hits(app: V1) -> None:
    app.hits = [hit(1, 0.9), hit(2, 0.4)]
    filters: Any = {"type": "eq", "key": "n", "value": 1}
    results = await search(app, query="why", filters=filters, max_num_results=3)
    assert [(f.file_id, f.filename, f.score, f.attributes) for f in results] == [
        ("file-1", "1.md", 0.9, {"n": 1}),
        ("file-2", "2.md", 0.4, {"n": 2}),
    ]
    assert [(part.type, part.text) for part in results[0].content] == [("text", "text 1")]
    assert app.lookups == [StoreSearch("why", app.library.store("default").store_id, {"top_k": 3}, filters)]


async def test_several_queries_are_merged_into_one_list(app: V1) -> None:
    app.hits = [hit(1, 0.9), hit(2, 0.4), hit(3, 0.3)]
    results = await search(app, query=["a", "b"], max_num_results=2, ranking_options={"score_threshold": 0.35})
    assert [f.file_id for f in results] == ["file-1", "file-2"]
    assert [lookup.text for lookup in app.lookups] == ["a", "b"]


@pytest.mark.parametrize(
    ("weights", "overrides"),
    [
        ((3, 1), {"mode": "hybrid", "weights": {"dense": 3, "keyword": 1}}),
        ((1, 0), {"mode": "dense"}),
        ((0, 0.1), {"mode": "keyword"}),
    ],
)
async def test_weights_choose_the_search_paths(
    app: V1, weights: tuple[float, float], overrides: dict[str, Any]
) -> None:
    hybrid: Any = {"hybrid_search": {"embedding_weight": weights[0], "text_weight": weights[1]}}
    await search(app, query="x", ranking_options=hybrid)
    assert [lookup.overrides for lookup in app.lookups] == [{"top_k": 10, **overrides}]


async def test_a_query_may_be_rewritten_and_not_reranked(app: V1) -> None:
    app.hits = []
    await search(app, query="x", rewrite_query=True, ranking_options={"ranker": "none"})
    assert [lookup.overrides for lookup in app.lookups] == [{"top_k": 10, "queries": 2, "rerank": False}]


ZERO_WEIGHTS = {"embedding_weight": 0, "text_weight": 0}


@pytest.mark.parametrize(
    ("param", "body"),
    [
        ("query", {}), ("query", {"query": ""}), ("query", {"query": []}), ("query", {"query": ["a"] * 21}),
        ("query", {"query": [1]}), ("max_num_results", {"query": "a", "max_num_results": 51}),
        ("max_num_results", {"query": "a", "max_num_results": 0}),
        ("rewrite_query", {"query": "a", "rewrite_query": "yes"}),
        ("ranking_options", {"query": "a", "ranking_options": {"score_threshold": 1.1}}),
        ("ranking_options", {"query": "a", "ranking_options": {"ranker": "best"}}),
        ("ranking_options", {"query": "a", "ranking_options": {"hybrid_search": ZERO_WEIGHTS}}),
        ("filters", {"query": "a", "filters": []}), ("top_k", {"query": "a", "top_k": 3}),
    ],
)  # fmt: skip
async def test_an_invalid_search_is_refused(shared_app: V1, param: str, body: Any) -> None:
    async with shared_app.http() as http:
        status, code, field = error_of(await http.post("/vector_stores/default/search", json=body))
    assert (status, code, (field or "").split(".")[0]) == (400, "invalid_request", param)
    assert shared_app.lookups == []


# The embedding model


async def test_the_embedding_model_is_changed_and_changed_back(app: V1) -> None:
    async with app.http() as http:
        job = (await http.post("/vector_stores/default/reindex", json={"embedder": "other-model"})).json()
        assert (job["object"], job["kind"]) == ("job", "reindex")
        assert job["details"].items() >= {"from": "fake-embedder", "to": "other-model"}.items()
        await app.finished()
        second = await http.post("/vector_stores/default/reindex", json={"embedder": "other-model"})
        assert error_of(second)[:2] == (409, "conflict")
        assert error_of(await http.post("/vector_stores/default/reindex", json={})) == (
            400,
            "invalid_request",
            "embedder",
        )
        rollback = (await http.post("/vector_stores/default/reindex/rollback")).json()
        assert rollback["details"].items() >= {"from": "other-model", "to": "fake-embedder"}.items()
        await app.finished()
        forgotten = (await http.post("/vector_stores/default/reindex/forget")).json()
        assert forgotten["dropped"]["embedder"] == "other-model"
