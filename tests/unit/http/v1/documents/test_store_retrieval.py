"""`retrieval` of a vector store: stored, returned, changed, removed, and used by the next search."""

from __future__ import annotations

from typing import Any

import pytest

from rag.retrieve.pipeline import RetrievalRequest
from tests.support.v1.v1_client import V1, error_of

ALL: dict[str, Any] = {
    "top_k": 3, "mode": "keyword", "candidates": 50, "fusion": "rrf", "weights": {"dense": 1, "my_own": 0.5},
    "rrf_k": 10, "duplicates": 0.8, "min_cosine": -0.5, "rerank": True, "rerank_top_n": 7, "rerank_weight": 1,
    "rewrite": True, "queries": 2, "hypothetical": False,
}  # fmt: skip


async def test_retrieval_settings_are_stored_and_removed(app: V1) -> None:
    async with app.http() as http:
        created = (await http.post("/vector_stores", json={"name": "a", "retrieval": ALL})).json()
        assert created["retrieval"] == ALL
        path = f"/vector_stores/{created['id']}"
        assert (await http.post(path, json={"name": "b"})).json()["retrieval"] == ALL
        assert (await http.get(path)).json()["retrieval"] == ALL
        assert (await http.post(path, json={"retrieval": {"rrf_k": 9, "top_k": None}})).json()["retrieval"] == {
            "rrf_k": 9
        }
        assert (await http.post(path, json={"retrieval": None})).json()["retrieval"] is None
        assert (await http.post(path, json={"retrieval": {}})).json()["retrieval"] is None
        assert (await http.get("/vector_stores/default")).json()["retrieval"] is None


async def test_the_next_search_uses_the_retrieval_settings(app: V1) -> None:
    app.harness.ingest(*((f"{n}.md", f"apples {n}") for n in range(5)))
    question = RetrievalRequest("apples", "default", {})
    async with app.http() as http:
        assert len(app.harness.find(question).hits) == 4
        await http.post("/vector_stores/default", json={"retrieval": {"top_k": 2, "mode": "keyword"}})
        result = app.harness.find(question)
        assert len(result.hits) == 2
        assert {path for hit in result.hits for path in hit.ranks} == {"keyword"}
        assert len(app.harness.find(RetrievalRequest("apples", "default", {"top_k": 5})).hits) == 5
        await http.post("/vector_stores/default", json={"retrieval": None})
        assert len(app.harness.find(question).hits) == 4


INVALID: list[tuple[str, Any]] = [
    ("top_k", 0), ("top_k", 101), ("top_k", 1.5), ("top_k", "3"), ("mode", "best"), ("candidates", 1001),
    ("fusion", "sum"), ("weights", {"a b": 1}), ("weights", {"a": 1001}), ("weights", {"a": -1}), ("weights", [1]),
    ("weights", {"Dense": 1}), ("weights", {"": 1}), ("weights", {"a" * 33: 1}), ("weights", {"a\n": 1}),
    ("weights", {f"p{n}": 1 for n in range(17)}), ("rrf_k", 0), ("duplicates", 1.1), ("duplicates", -0.1),
    ("min_cosine", -2), ("rerank", 1), ("rerank_top_n", 201), ("rerank_weight", 2), ("rewrite", "yes"),
    ("queries", 6), ("hypothetical", 0), ("dense_weight", 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), INVALID, ids=lambda value: str(value)[:30])
async def test_a_refusal_of_an_out_of_range_value_names_the_field(shared_app: V1, field: str, value: Any) -> None:
    async with shared_app.http() as http:
        status, code, param = error_of(await http.post("/vector_stores", json={"retrieval": {field: value}}))
        assert (status, code) == (400, "invalid_request")
        assert (param or "").startswith(f"retrieval.{field}")


@pytest.mark.parametrize("value", [[], "x", 3, True])
async def test_retrieval_settings_must_be_an_object(shared_app: V1, value: Any) -> None:
    async with shared_app.http() as http:
        assert error_of(await http.post("/vector_stores", json={"retrieval": value})) == (
            400,
            "invalid_request",
            "retrieval",
        )
