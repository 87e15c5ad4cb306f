"""The main use of the service: ingest documents, ask a question, get a streamed answer with sources."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import bentoml
import httpx
import pytest

from rag.http.streaming.sse import EventParser
from tests.e2e.conftest import DOCS
from tests.e2e.running import LIMIT_S, ROOT, RunningService

QUESTION = "Where did Gutenberg build his printing press?"
LAKE = "Which lake is the axolotl from?"


def test_an_answer_streams_sources_tokens_usage_done(filled: RunningService) -> None:
    answered = filled.stream("/ask", {"question": QUESTION, "max_tokens": 40})
    assert answered.names[0] == "sources"
    assert answered.names[-2:] == ["usage", "done"]
    assert set(answered.names[1:-2]) == {"token"}
    first = answered.data("sources")["sources"][0]
    assert first["filename"] == "machines/printing.md"
    assert first["index"] == 1
    assert answered.text.strip()
    assert answered.data("usage")["prompt_tokens"] > 50


def test_a_source_is_exactly_that_part_of_the_document(filled: RunningService) -> None:
    hit = filled.post("/retrieve", {"query": QUESTION, "top_k": 1}).json()["hits"][0]
    assert hit["heading"].startswith("Printing")
    assert DOCS["machines/printing.md"][hit["start"] : hit["end"]] == hit["text"]
    assert 0 <= hit["score"] <= 1


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
def test_every_search_mode_sorts_by_score(filled: RunningService, mode: str) -> None:
    hits = filled.post("/retrieve", {"query": "axolotl salamander lake", "mode": mode, "top_k": 3}).json()["hits"]
    assert hits[0]["filename"] == "animals/axolotl.md"
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_non_ascii_text_and_names_survive(filled: RunningService) -> None:
    hits = filled.post("/retrieve", {"query": "Größe des Saals", "top_k": 1}).json()["hits"]
    assert hits[0]["filename"] == "notes/größe.txt"
    assert "東京タワー" in hits[0]["text"]


def test_ingesting_again_adds_nothing_and_a_change_replaces(filled: RunningService) -> None:
    name = "machines/printing.md"
    again = filled.ingest({name: DOCS[name].encode()})["files"][0]
    assert again["change"] == "unchanged"
    changed = filled.ingest({name: DOCS[name].replace("Mainz", "Strasbourg").encode()})["files"][0]
    assert (changed["change"], changed["file_id"]) == ("replaced", again["file_id"])
    text = json.dumps(filled.post("/retrieve", {"query": QUESTION, "top_k": 20}).json())
    assert "Strasbourg" in text
    assert "Mainz" not in text
    assert filled.ingest({name: DOCS[name].encode()})["files"][0]["change"] == "replaced"


def test_a_bad_file_refuses_the_request_and_leaves_nothing(filled: RunningService) -> None:
    parts = [("files", ("good.md", b"# Quokkas smile")), ("files", ("bad.md", b"\x00\x01\x02\xff" * 50))]
    response = httpx.post(filled.url + "/ingest", files=parts, timeout=LIMIT_S)
    assert response.status_code == 415
    assert response.json()["error"]["param"] == "bad.md"
    hits = filled.post("/retrieve", {"query": "quokkas", "mode": "keyword"}).json()["hits"]
    assert not [hit for hit in hits if hit["filename"] == "good.md"]


def test_filters_choose_by_attributes(filled: RunningService) -> None:
    filled.ingest({"a/x.md": b"# Rivers\n\nThe Danube is long."}, attributes=json.dumps({"lang": "en", "year": 2020}))
    filled.ingest({"a/y.md": b"# Rivers\n\nThe Danube is wide."}, attributes=json.dumps({"lang": "en", "year": 2024}))
    newer = {"type": "gt", "key": "year", "value": 2021}
    hits = filled.post("/retrieve", {"query": "Danube", "filters": newer}).json()["hits"]
    assert [hit["filename"] for hit in hits] == ["a/y.md"]
    bad = filled.post("/retrieve", {"query": "Danube", "filters": {"type": "near", "key": "year", "value": 1}})
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "invalid_filter")


def test_a_question_without_relevant_documents_gets_no_invented_answer(filled: RunningService) -> None:
    answered = filled.stream("/ask", {"question": "Who won the football world cup in 1998?"})
    assert answered.data("sources")["sources"] == []
    assert answered.data("done")["finish_reason"] == "no_sources"
    assert "nothing" in answered.text


def test_a_question_that_cannot_fit_is_refused_before_the_stream(filled: RunningService) -> None:
    response = filled.post("/ask", {"question": "why? " * 9000, "style": "written"})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"


def test_the_prompt_never_overflows_and_drops_the_weakest_hits(filled: RunningService) -> None:
    context = filled.get("/readyz").json()["services"]["LLM"]["context_tokens"]
    body = {"question": QUESTION, "style": "written", "top_k": 4}
    whole = filled.stream("/ask", {**body, "max_tokens": 1})
    tight = filled.stream("/ask", {**body, "max_tokens": context - 200, "stop": [" ", "e"]})
    assert tight.data("usage")["prompt_tokens"] <= 200
    kept = [hit["chunk_id"] for hit in tight.data("sources")["sources"]]
    best = [hit["chunk_id"] for hit in whole.data("sources")["sources"]]
    assert 0 < len(kept) < len(best)
    assert kept == best[: len(kept)]


def test_bentoml_sync_client_streams(filled: RunningService) -> None:
    with bentoml.SyncHTTPClient(filled.url, timeout=LIMIT_S) as client:
        parser, names = EventParser(), []
        for piece in client.ask(question=QUESTION, max_tokens=8):
            names += [name for name, _ in parser.feed(piece.encode() if isinstance(piece, str) else piece)]
        assert (names[0], names[-1]) == ("sources", "done")
        assert client.retrieve(query=QUESTION, top_k=2)["hits"]


async def test_bentoml_async_client_streams_and_uploads(filled: RunningService, tmp_path: Path) -> None:
    upload = tmp_path / "lanterns.md"
    upload.write_text("# Lanterns\n\nA lantern fish makes its own light.")
    async with bentoml.AsyncHTTPClient(filled.url, timeout=LIMIT_S) as client:
        taken = await client.ingest(files=[upload], attributes={"kind": "fish"}, wait_s=60)
        assert taken["files"][0]["status"] == "completed"
        parser, names = EventParser(), []
        async for piece in client.ask(question="What light does a lantern fish make?", max_tokens=8):
            names += [name for name, _ in parser.feed(piece.encode() if isinstance(piece, str) else piece)]
        assert (names[0], names[-1]) == ("sources", "done")


def test_the_command_line_ingests_and_answers(filled: RunningService, documents: Path) -> None:
    def rag(*arguments: str) -> str:
        command = [sys.executable, "-m", "rag", *arguments, "--url", filled.url]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=LIMIT_S).stdout

    assert "4 unchanged" in rag("ingest", str(documents))
    answer = rag("ask", LAKE, "--max-tokens", "40", "--top-k", "1")
    assert "Xochimilco" in answer
    assert "animals/axolotl.md" in answer


def test_swagger_examples_work_unchanged(filled: RunningService) -> None:
    """Pressing *Execute* sends the documented example: each one must get a 200."""
    spec = filled.get("/docs.json").json()
    schemas = spec["components"]["schemas"]
    tried = 0
    for path in ("/ask", "/retrieve", "/generate"):
        operation = spec["paths"][path]["post"]
        assert operation["summary"]
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        example = body.get("example") or schemas[body["$ref"].rsplit("/", 1)[1]].get("example")
        assert filled.post(path, example).status_code == 200, path
        tried += 1
    assert tried == 3


def test_generate_streams_what_the_engine_writes(filled: RunningService) -> None:
    body = {"prompt": "The capital of France is", "max_tokens": 12, "temperature": 0}
    streamed = filled.stream("/generate", body)
    plain = filled.post("/generate", {**body, "stream": False}).json()
    assert streamed.text == plain["text"]
    assert streamed.data("done")["finish_reason"] == plain["finish_reason"] == "length"
    assert streamed.data("usage")["completion_tokens"] == 12


def test_structured_output_and_a_refused_grammar(filled: RunningService) -> None:
    body = {"prompt": "Is water wet? Answer:", "structured_outputs": {"choice": ["ja", "größtenteils nein"]}}
    assert filled.stream("/generate", body).text in ("ja", "größtenteils nein")
    refused = filled.post("/generate", {"prompt": "x", "structured_outputs": {"regex": "(("}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")


def test_one_scrape_shows_the_metrics_of_all_services_and_of_vllm(filled: RunningService) -> None:
    text = filled.get("/metrics").text
    assert all(f'service="{name}"' in text for name in ("RAG", "Retriever", "Embedder", "LLM"))
    assert "vllm:generation_tokens_total{" in text
    assert "bentoml_service" not in text


def test_only_the_services_user_can_read_what_it_stores(filled: RunningService, data_dir: Path) -> None:
    assert filled.url
    stored = [path for path in data_dir.rglob("*") if data_dir / "models" not in (path, *path.parents)]
    assert {"catalog.db", "jobs.db", "milvus.db", "files"} <= {path.name for path in stored}
    readable = [str(path) for path in stored if path.exists() and path.stat().st_mode & 0o077]
    assert readable == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_loads_scikit_learn(filled: RunningService) -> None:
    """docs/bentoml_issues.md#o9: it would take 85 MiB in each of three processes."""
    loaded = {each.name() for each in filled.processes() if "/sklearn/" in Path(f"/proc/{each.pid}/maps").read_text()}
    assert loaded == set()
