"""Retrieval through the real service: stemming, reranking, a store's own options, explanations, caching, planning."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.e2e.running import RunningService

TEXTS = {
    "run.txt": b"He runs every morning along the river, in shoes that he was given.",
    "swim.txt": b"She swims in the lake when the water is warm enough.",
    "walk.txt": b"They walk home through the park, and the dog is always first.",
    "copy.txt": b"They walk home, through the park -- and the dog is always first!",
}


@pytest.fixture
def client(filled: RunningService) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=filled.url + "/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def store(client: openai.OpenAI, filled: RunningService) -> Iterator[str]:
    made = client.vector_stores.create(name="retrieval")
    upload(filled, made.id, TEXTS)
    yield made.id
    client.vector_stores.delete(made.id)


def upload(service: RunningService, store: str, texts: dict[str, bytes]) -> None:
    answer = service.ingest(texts, vector_store=store)
    assert {file["status"] for file in answer["files"]} == {"completed"}, answer


def retrieve(service: RunningService, query: str, **options: Any) -> dict[str, Any]:
    response = service.post("/retrieve", {"query": query, **options})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def names(found: dict[str, Any]) -> list[str]:
    return [hit["filename"] for hit in found["hits"]]


def test_words_are_stemmed(filled: RunningService, store: str) -> None:
    for query in ("running", "a shoe", "RUNS"):
        assert names(retrieve(filled, query, vector_store=store, mode="keyword")) == ["run.txt"]
    assert retrieve(filled, "the", vector_store=store, mode="keyword")["hits"] == []


def test_duplicates_are_one_hit(filled: RunningService, store: str) -> None:
    found = retrieve(filled, "walking home through the park", vector_store=store, explain=True)
    assert len({"walk.txt", "copy.txt"} & set(names(found))) == 1
    assert [c["why"] for c in found["explain"]["candidates"] if "duplicate of" in c["why"]]


def test_reranking_reorders_by_the_token_vectors_of_the_encoder(filled: RunningService, store: str) -> None:
    options = {"rerank_weight": 1.0}
    found = retrieve(filled, "who swims", vector_store=store, rerank=True, explain=True, retrieval=options)
    assert names(found)[0] == "swim.txt"
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert [c["rerank"] for c in found["explain"]["candidates"]][: len(scores)] == scores
    assert found["timings_ms"]["rerank"] > 0


def test_a_stores_options_override_the_services_and_a_requests_override_both(
    filled: RunningService, client: openai.OpenAI, store: str
) -> None:
    settings = {"top_k": 1, "mode": "dense", "candidates": 7}
    client.vector_stores.update(store, extra_body={"retrieval": settings})
    found = retrieve(filled, "river", vector_store=store, explain=True, retrieval={"candidates": 9})
    options = found["explain"]["options"]
    assert (options["top_k"], options["mode"], options["candidates"], len(found["hits"])) == (1, "dense", 9, 1)
    client.vector_stores.update(store, extra_body={"retrieval": None})
    assert len(retrieve(filled, "river", vector_store=store)["hits"]) > 1


def test_every_candidate_is_explained(filled: RunningService) -> None:
    found = retrieve(filled, "Who built a printing press in Mainz?", top_k=2, explain=True, style="written")
    first, *_ = candidates = found["explain"]["candidates"]
    assert first["paths"].keys() == {"dense", "keyword"}
    assert (first["hit"], first["in_prompt"], first["why"]) == (1, True, "in the prompt as source 1")
    assert all(c["why"].startswith(("in the prompt", "left out: ")) for c in candidates)
    assert sum(c["in_prompt"] for c in candidates) == 2
    usual = retrieve(filled, "Who built a printing press in Mainz?", top_k=2, explain=True)["explain"]["prompt"]
    assert (found["explain"]["prompt"]["style"], usual["style"]) == ("written", "quoted")
    assert 0 < usual["tokens"] < found["explain"]["prompt"]["tokens"]


def test_results_are_cached_until_a_document_changes(filled: RunningService, store: str) -> None:
    def ask() -> dict[str, Any]:
        return retrieve(filled, "who runs along the river?", vector_store=store, top_k=1)

    first, second = ask(), ask()
    assert "cached" in second["timings_ms"]
    assert "cached" not in first["timings_ms"]
    assert second["hits"] == first["hits"]
    upload(filled, store, {"run.txt": b"Nobody runs along the river any more."})
    third = ask()
    assert "cached" not in third["timings_ms"]
    assert third["hits"][0]["text"] == "Nobody runs along the river any more."


def test_concurrent_equal_questions_are_searched_once(filled: RunningService, store: str) -> None:
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: retrieve(filled, "where does the dog walk?", vector_store=store), range(12)))
    assert len({str(one["hits"]) for one in found}) == 1


def test_planning_that_takes_too_long_is_skipped_with_a_note(filled: RunningService) -> None:
    history = [{"role": "user", "content": "What is an axolotl?"}, {"role": "assistant", "content": "A salamander."}]
    plan = {"rewrite": True, "queries": 2, "hypothetical": True}
    found = retrieve(filled, "Where does it live?", history=history, retrieval=plan, explain=True)
    assert found["hits"]
    made = found["explain"]["plan"]
    assert made["queries"][0]
    assert len(made["queries"]) <= 3
    assert found["timings_ms"]["plan"] < 30_000, "it may take RAG_PLAN__TIMEOUT_S, three seconds, and a busy machine's"
    answer = filled.stream("/ask", {"question": "And when?", "history": history, "max_tokens": 4, "retrieval": plan})
    assert answer.names[-1] == "done"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"retrieval": {"weights": {"dance": 1}}}, "retrieval.weights"),
        ({"retrieval": {"weights": {"dense": 0, "keyword": 0}}}, "retrieval.weights"),
        ({"mode": "sparse"}, "mode"),
        ({"retrieval": {"rrf": 1}}, "retrieval.rrf"),
    ],
)
def test_an_invalid_search_is_refused_by_name(filled: RunningService, body: dict[str, Any], param: str) -> None:
    response = filled.post("/retrieve", {"query": "axolotl", **body})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
