"""`keys`, on a service and on the catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from rag.auth.key_secret import hash_of
from rag.bootstrap import documents
from rag.bootstrap.loaded_settings import settings
from rag.cli import main
from rag.cli.service_client import CliContext
from rag.types import JsonObject

KEY: JsonObject = {
    "object": "api_key",
    "id": "key_1",
    "name": "page",
    "tenant": "default",
    "scopes": ["ask"],
    "vector_stores": None,
    "limits": {},
    "status": "active",
    "prefix": "rag-abcdef",
    "created_at": 1,
}


class Keys:
    """The `/v1/keys` of a service."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, object]] = []
        self.authorization: list[str | None] = []

    def run(self, *arguments: str) -> Result:
        context = CliContext(httpx.MockTransport(self._answer))
        return CliRunner().invoke(main, ["keys", *arguments], obj=context, catch_exceptions=False)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.requests.append((request.method, request.url.path, body))
        self.authorization.append(request.headers.get("authorization"))
        if request.method == "GET":
            return httpx.Response(200, json={"data": [KEY], "has_more": False, "last_id": "key_1"})
        if request.method == "DELETE":
            return httpx.Response(200, json={"id": "key_1", "object": "api_key.deleted", "deleted": True})
        return httpx.Response(200, json={**KEY, "secret": "rag-secret"})


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Keys:
    monkeypatch.setenv("RAG_API_KEY", "rag-admin")
    return Keys()


def test_with_a_key_the_service_is_called(keys: Keys) -> None:
    options = (
        "--scopes",
        "ask, generate",
        "--tenant",
        "acme",
        "--store",
        "a",
        "--store",
        "b",
        *("--group", "hr", "--group", "A, B"),
        "--requests-per-minute",
        "9",
        "--max-stored-bytes",
        "1000000",
    )
    result = keys.run("create", "page", *options)
    assert (result.exit_code, result.stdout) == (0, "rag-secret\n")
    body = {"name": "page", "scopes": ["ask", "generate"], "tenant": "acme", "vector_stores": ["a", "b"]}
    body["groups"] = ["hr", "A, B"]
    assert keys.requests == [
        ("POST", "/v1/keys", {**body, "limits": {"requests_per_minute": 9, "max_stored_bytes": 1_000_000}})
    ]
    assert keys.authorization == ["Bearer rag-admin"]
    assert "not shown again" in result.stderr


def test_list_revoke_and_rotate(keys: Keys) -> None:
    assert "rag-abcdef..." in keys.run("list").stdout
    assert keys.run("revoke", "key_1").stdout == "revoked key_1\n"
    assert json.loads(keys.run("rotate", "key_1", "--grace-s", "60", "--json").stdout)["secret"] == "rag-secret"
    assert keys.requests[-1] == ("POST", "/v1/keys/key_1/rotate", {"grace_s": 60})


def test_limits_are_changed(keys: Keys) -> None:
    result = keys.run("limit", "key_1", "--tokens-per-day", "5", "--remove", "max-documents")
    assert (result.exit_code, result.stdout) == (0, "key_1: no limits\n")
    assert keys.requests == [("POST", "/v1/keys/key_1", {"limits": {"tokens_per_day": 5, "max_documents": None}})]


def test_an_unknown_scope_is_refused_before_any_request(keys: Keys) -> None:
    result = keys.run("create", "page", "--scopes", "ask,root")
    assert (result.exit_code, keys.requests) == (2, [])
    assert "must be one or more of ask, generate" in result.stderr


def test_a_key_that_no_header_can_hold_is_refused(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_API_KEY", "schlüssel")
    result = keys.run("list")
    assert (result.exit_code, result.stderr) == (1, "RAG_API_KEY: must be printable ASCII\n")


def test_all_commands_send_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_API_KEY", "rag-mine")
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(401, json={"error": {"message": "the API key was revoked"}})

    context = CliContext(httpx.MockTransport(answer), lambda _: None)
    for words in (["ask", "x"], ["retrieve", "x"], ["stores", "list"], ["files", "list"], ["jobs", "list"]):
        result = CliRunner().invoke(main, words, obj=context)
        assert (result.exit_code, "set RAG_API_KEY to a valid key" in result.stderr) == (1, True)
    assert seen == ["Bearer rag-mine"] * 5


# --- on the catalog ----------------------------------------------------------------------------


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder, of which no service knows."""
    for name in ("RAG_API_KEY", "RAG_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAG_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    documents._database.cache_clear()
    yield tmp_path
    documents.database().close()
    documents._database.cache_clear()
    settings.cache_clear()


def on_catalog(*arguments: str) -> Result:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.url} was called")

    context = CliContext(httpx.MockTransport(refuse))
    return CliRunner().invoke(main, ["keys", *arguments], obj=context, catch_exceptions=False)


def test_the_first_key_is_made_without_a_service(catalog: Path) -> None:
    result = on_catalog("create", "first", "--scopes", "admin", "--expires-days", "1")
    assert result.exit_code == 0
    assert str(catalog / "catalog.db") in result.stderr
    found = documents.key_registry().authenticate(hash_of(result.stdout.strip()))
    assert (found.status, found.key and found.key.scopes) == ("active", ("admin",))
    assert (catalog / "catalog.db").stat().st_mode & 0o077 == 0


def test_keys_are_managed_without_a_service(catalog: Path) -> None:
    first = json.loads(on_catalog("create", "first", "--scopes", "ask", "--json").stdout)
    second = json.loads(on_catalog("rotate", first["id"], "--json").stdout)
    assert second["secret"] != first["secret"]
    limited = on_catalog("limit", first["id"], "--max-documents", "3")
    assert limited.stdout == f"{first['id']}: max_documents 3\n"
    assert on_catalog("revoke", first["id"], "key_0").exit_code == 1
    listed = [json.loads(line) for line in on_catalog("list", "--json").stdout.splitlines()]
    assert [(row["id"], row["status"]) for row in listed] == [(first["id"], "revoked")]
    assert on_catalog("rotate", first["id"]).exit_code == 1


def on_audit_log(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["audit", *arguments], catch_exceptions=False)


def test_what_was_done_without_a_service_is_in_the_audit_log(catalog: Path) -> None:
    key = json.loads(on_catalog("create", "first", "--scopes", "ask", "--json").stdout)
    on_catalog("revoke", key["id"])
    on_catalog("revoke", "key_0")  # there is none
    entries = [json.loads(line) for line in on_audit_log("--json").stdout.splitlines()]
    assert [(entry["action"], entry["targets"]) for entry in entries] == [
        ("revoke_key", {"key": key["id"]}),
        ("create_key", {"key": key["id"]}),
    ]
    assert all(entry["address"].startswith("local user ") for entry in entries)
    assert key["secret"] not in str(entries)
    assert len(on_audit_log("--json", "--limit", "1").stdout.splitlines()) == 1
    assert on_audit_log("--json", "--action", "create_key", "--until", "2020-01-01").stdout == ""
    table = on_audit_log("--action", "create_key").stdout
    assert ("create_key" in table, "revoke_key" in table) == (True, False)


def test_the_audit_log_of_a_service_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_API_KEY", "rag-admin")
    queries: list[dict[str, str]] = []
    entry = {"key_name": "page", "key_id": "key_1", "targets": {"store": "vs_1"}, "action": "ingest", "route": ""}
    others = {"created_at": 1, "tenant": "acme", "address": "192.0.2.7", "status": 202, "error_code": "", "requests": 1}

    def answer(request: httpx.Request) -> httpx.Response:
        queries.append(dict(request.url.params))
        return httpx.Response(200, json={"data": [{**entry, **others, "id": "audit_1"}], "has_more": False})

    context = CliContext(httpx.MockTransport(answer))
    arguments = ["audit", "--tenant", "acme", "--since", "2026-01-31T15:00"]
    result = CliRunner().invoke(main, arguments, obj=context, catch_exceptions=False)
    assert ("page" in result.stdout, "192.0.2.7" in result.stdout) == (True, True)
    assert (queries[0]["tenant"], "until" in queries[0]) == ("acme", False)
    assert int(queries[0]["since"]) > 1_760_000_000


def test_an_unknown_vector_store_is_reported(catalog: Path) -> None:
    assert on_catalog("create", "first", "--scopes", "ask", "--tokens-per-day", "0").exit_code == 1
    result = on_catalog("create", "first", "--scopes", "ask", "--store", "nope")
    assert (result.exit_code, "there is no vector store 'nope'" in result.stderr) == (1, True)
    assert on_catalog("create", "first", "--scopes", "ask", "--tenant", "No!").exit_code == 1
