"""`/v1/rerank`."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Router

from rag.adapters.http_reranker import HttpReranker
from rag.errors import DependencyUnavailable
from rag.http.middleware.rerank_paths import RerankPaths
from tests.support.servers.loopback import served
from tests.support.v1.v1_client import V1, error_of

QUERY = "zebras eat grass"
DOCUMENTS: list[Any] = ["databases hold rows", {"text": "zebras eat grass"}, "zebras sleep"]


async def post(app: V1, **body: Any) -> httpx.Response:
    async with app.http() as http:
        return await http.post("/rerank", content=json.dumps({"query": QUERY, "documents": DOCUMENTS, **body}))


def through_paths(app: V1) -> httpx.AsyncClient:
    routed = RerankPaths(Router([Mount("/v1", app.app)]))
    return httpx.AsyncClient(transport=httpx.ASGITransport(routed), base_url="http://rag.test")


@pytest.mark.parametrize("model", [{}, {"model": "rerank"}, {"model": "fake-reranker"}])
async def test_documents_are_sorted_by_score(shared_app: V1, model: dict[str, str]) -> None:
    answer = (await post(shared_app, **model)).json()
    assert answer["id"].startswith("rerank-")
    assert answer["model"] == "fake-reranker"
    assert answer["usage"] == {"prompt_tokens": 11, "total_tokens": 11}
    assert answer["results"] == [
        {"index": 1, "document": {"text": "zebras eat grass"}, "relevance_score": 1.0},
        {"index": 2, "document": {"text": "zebras sleep"}, "relevance_score": pytest.approx(1 / 3)},
        {"index": 0, "document": {"text": "databases hold rows"}, "relevance_score": 0.0},
    ]


@pytest.mark.parametrize(("top_n", "indices"), [(0, [1, 2, 0]), (2, [1, 2]), (9, [1, 2, 0])])
async def test_top_n_limits_the_results(shared_app: V1, top_n: int, indices: list[int]) -> None:
    answer = (await post(shared_app, top_n=top_n, return_documents=False)).json()
    assert [result["index"] for result in answer["results"]] == indices
    assert all(set(result) == {"index", "relevance_score"} for result in answer["results"])


async def test_nulls_mean_left_out(shared_app: V1) -> None:
    nulls: Any = dict.fromkeys(("model", "top_n", "return_documents", "raw_scores"))
    assert (await post(shared_app, **nulls)).json()["results"] == (await post(shared_app)).json()["results"]


async def test_clients_of_infinity_get_documents_as_strings(shared_app: V1) -> None:
    results = (await post(shared_app, raw_scores=False, return_documents=True)).json()["results"]
    assert [result["document"] for result in results] == ["zebras eat grass", "zebras sleep", "databases hold rows"]


async def test_documents_are_strings_where_litellm_expects_those_of_infinity(shared_app: V1) -> None:
    """Its provider `infinity/` sends what `hosted_vllm/` sends, which expects objects."""
    body = {"query": QUERY, "documents": DOCUMENTS, "model": "rerank", "top_n": 2, "return_documents": True}
    async with through_paths(shared_app) as http:
        strings = await http.post("/infinity/rerank", json=body)
        objects = await http.post("/rerank", json=body)
        none = await http.post("/infinity/rerank", json={**body, "return_documents": False})
        asked = await http.post("/rerank?documents=strings", json=body)
        refused = await http.post("/rerank?documents=texts", json=body)
    assert [result["document"] for result in strings.json()["results"]] == ["zebras eat grass", "zebras sleep"]
    assert objects.json()["results"][0]["document"] == {"text": "zebras eat grass"}
    assert "document" not in none.json()["results"][0]
    assert asked.json()["results"] == strings.json()["results"]
    assert error_of(refused) == (400, "invalid_request", "documents")


async def test_an_alias_stands_for_the_reranker(app: V1) -> None:
    app.aliases = {"rerank-*": "rerank", "bge": "fake-reranker"}
    for name in ("rerank-v3.5", "bge"):
        assert (await post(app, model=name)).json()["model"] == "fake-reranker"
    assert error_of(await post(app, model="other")) == (404, "model_not_found", "model")


@pytest.mark.parametrize("path", ["/rerank", "/v2/rerank", "/v1/rerank"])
async def test_other_clients_paths_are_served(shared_app: V1, path: str) -> None:
    async with through_paths(shared_app) as http:
        answer = await http.post(path, json={"query": QUERY, "documents": DOCUMENTS})
    assert answer.status_code == 200
    assert len(answer.json()["results"]) == 3


async def test_equal_documents_keep_their_order(shared_app: V1) -> None:
    answer = (await post(shared_app, documents=["b", "a", "b"])).json()
    assert [result["index"] for result in answer["results"]] == [0, 1, 2]


INVALID: list[tuple[str, Any]] = [
    ("query", {"query": " "}), ("query", {"query": 1}), ("query", {"query": "\ud800"}), ("query", {"query": None}),
    ("documents", {"documents": []}), ("documents", {"documents": "a"}), ("documents", {"documents": ["a"] * 1025}),
    ("documents.1", {"documents": ["a", 1]}), ("documents.0", {"documents": [{"text": 1}]}),
    ("documents.0", {"documents": [{"text": "a", "image": "b"}]}), ("documents.0", {"documents": [{}]}),
    ("documents.0", {"documents": [""]}), ("documents.0", {"documents": [["a"]]}),
    ("documents.0", {"documents": ["\udfff"]}), ("documents.0", {"documents": ["x" * 1_000_001]}),
    ("top_n", {"top_n": -1}), ("top_n", {"top_n": "2"}), ("return_documents", {"return_documents": "yes"}),
    ("truncate_prompt_tokens", {"truncate_prompt_tokens": 10}), ("raw_scores", {"raw_scores": True}),
]  # fmt: skip


@pytest.mark.parametrize(("param", "body"), INVALID, ids=lambda value: str(value)[:40])
async def test_a_refusal_of_an_invalid_body_names_the_field(shared_app: V1, param: str, body: Any) -> None:
    assert error_of(await post(shared_app, **body)) == (400, "invalid_request", param)


async def test_an_unknown_model_is_not_found(shared_app: V1) -> None:
    response = await post(shared_app, model="jina-reranker-v2-base-multilingual")
    assert error_of(response) == (404, "model_not_found", "model")
    assert "fake-reranker" in response.json()["error"]["message"]


async def test_an_unavailable_reranker_is_reported(app: V1) -> None:
    app.reranker.failure = DependencyUnavailable("no answer")
    assert error_of(await post(app))[:2] == (503, "dependency_unavailable")


async def test_the_http_reranker_client_can_read_the_response(shared_app: V1) -> None:
    async with served(shared_app.app) as address:
        reranker = HttpReranker(f"{address}/rerank", None, None, 5)
        try:
            assert await reranker.rerank(QUERY, ["zebras eat grass", "rows"]) == [1.0, 0.0]
        finally:
            await reranker.close()
