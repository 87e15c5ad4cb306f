"""Batches of requests, through OpenAI's client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.running import LIMIT_S, RunningService
from tests.support.files.batch_files import a_line, chat_line, create_batch, ended, lines_of
from tests.support.tenants import new_key

pytestmark = pytest.mark.integration


def client_of(service: RunningService, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key=key, timeout=LIMIT_S, max_retries=0)


@pytest.fixture
def client(service: RunningService, admin: httpx.Client) -> Iterator[openai.OpenAI]:
    with client_of(service, new_key(admin, tenant="batching")["secret"]) as opened:
        yield opened


def test_a_batch_answers_each_of_its_requests_once(client: openai.OpenAI) -> None:
    http = httpx.Client(base_url=str(client.base_url)[:-3], headers=client.auth_headers, timeout=LIMIT_S)
    with http:
        uploaded = http.post(
            "/ingest", files={"files": ("owl.md", b"The owl lives in the barn.")}, data={"wait_s": "100"}
        )
        assert uploaded.json()["status"] == "completed"
    lines = [chat_line(f"question {number}", "Where does the owl live?") for number in range(6)]
    lines += [chat_line("plain", "Hello", "instant"), chat_line("cold", "Hello", "instant", temperature=-1)]
    created = create_batch(client, lines, metadata={"topic": "owls"})
    assert (created.object, created.status, created.metadata) == ("batch", "validating", {"topic": "owls"})
    batch = ended(client, created.id)
    assert (batch.status, batch.errors, batch.model) == ("completed", None, None)
    assert batch.request_counts.to_dict() == {"total": 8, "completed": 7, "failed": 1}
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at <= batch.expires_at
    answers = lines_of(client, batch.output_file_id)
    assert [line["custom_id"] for line in answers] == [line["custom_id"] for line in lines[:-1]]
    for line in answers:
        assert (line["error"], line["response"]["status_code"]) == (None, 200)
        assert line["response"]["request_id"]
        assert line["response"]["body"]["object"] == "chat.completion"
    assert answers[0]["response"]["body"]["choices"][0]["message"]["rag"]["sources"][0]["filename"] == "owl.md"
    assert batch.usage.output_tokens == sum(line["response"]["body"]["usage"]["completion_tokens"] for line in answers)
    [refused] = lines_of(client, batch.error_file_id)
    assert (refused["custom_id"], refused["error"], refused["response"]["status_code"]) == ("cold", None, 400)
    assert refused["response"]["body"]["error"]["param"] == "temperature"
    output = client.files.retrieve(batch.output_file_id)
    assert (output.purpose, output.filename) == ("batch_output", f"{batch.id}_output.jsonl")
    assert created.id in [each.id for each in client.batches.list()]


@pytest.mark.parametrize(
    ("endpoint", "body", "kind"),
    [
        ("/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": "owl"}, "list"),
        ("/v1/completions", {"model": "instant", "prompt": "owl"}, "text_completion"),
        ("/v1/responses", {"model": "instant", "input": "owl"}, "response"),
        ("/v1/rerank", {"query": "owl", "documents": ["barn", "owl"]}, None),
    ],
)
def test_a_batch_of_each_endpoint(client: openai.OpenAI, endpoint: Any, body: dict[str, Any], kind: str | None) -> None:
    created = create_batch(client, [a_line("1", body, endpoint)], endpoint=endpoint)
    batch = ended(client, created.id)
    [answer] = lines_of(client, batch.output_file_id)
    assert (answer["response"]["status_code"], answer["response"]["body"].get("object")) == (200, kind)
    assert (batch.model, batch.error_file_id) == (body.get("model"), None)
    assert batch.usage.input_tokens > 0 or batch.usage.total_tokens > 0


def test_a_file_with_bad_lines_fails_the_batch(client: openai.OpenAI) -> None:
    lines = [chat_line("1", "a"), chat_line("1", "b"), chat_line("2", "c", "unknown"), a_line("3", {}, "/v1/responses")]
    batch = ended(client, create_batch(client, lines).id)
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", None, None)
    assert batch.failed_at >= batch.created_at
    assert [(error.line, error.code, error.param) for error in batch.errors.data] == [
        (2, "duplicate_custom_id", "custom_id"),
        (3, "model_not_found", "body.model"),
        (4, "invalid_url", "url"),
    ]


def test_lines_have_the_scopes_of_the_key(service: RunningService, admin: httpx.Client) -> None:
    """It may ask, but not use the language model itself."""
    with client_of(service, new_key(admin, tenant="batching", scopes=["ask", "ingest"])["secret"]) as client:
        batch = ended(client, create_batch(client, [chat_line("1", "a", "instant"), chat_line("2", "b")]).id)
        [refused] = lines_of(client, batch.error_file_id)
        assert (refused["custom_id"], refused["response"]["status_code"]) == ("1", 403)
        assert [line["custom_id"] for line in lines_of(client, batch.output_file_id)] == ["2"]


def finds(retrieve: Callable[[str], object], object_id: str) -> bool:
    try:
        retrieve(object_id)
    except openai.NotFoundError:
        return False
    return True


def test_only_its_key_and_administrators_of_its_tenant_see_a_batch(
    service: RunningService, admin: httpx.Client, client: openai.OpenAI
) -> None:
    batch = ended(client, create_batch(client, [chat_line("1", "Where does the owl live?")]).id)
    keys = {
        "colleague": new_key(admin, tenant="batching"),
        "administrator": new_key(admin, tenant="batching", scopes=["admin"]),
        "stranger": new_key(admin, tenant="elsewhere", scopes=["admin"]),
    }
    for who, key in keys.items():
        with client_of(service, key["secret"]) as other:
            assert finds(other.batches.retrieve, batch.id) == (who == "administrator")
            assert finds(other.files.content, batch.output_file_id) == (who == "administrator")
            listed = {each.id for each in other.batches.list()} | {file.id for file in other.files.list()}
            assert ({batch.id, batch.output_file_id} <= listed) == (who == "administrator")
            with pytest.raises(openai.ConflictError if who == "administrator" else openai.NotFoundError):
                other.batches.cancel(batch.id)
