"""Bad input gets a clear 4xx that names the field; never a 500, never a hang."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.e2e.running import LIMIT_S, RunningService, wait_until

JSON = {"content-type": "application/json"}
BODIES: list[tuple[str, bytes, dict[str, str], int]] = [
    ("a string", b'"what?"', JSON, 400),
    ("an array", b"[1, 2]", JSON, 400),
    ("null", b"null", JSON, 400),
    ("a number", b"7", JSON, 400),
    ("empty", b"", JSON, 400),
    ("not JSON", b"{question: yes}", JSON, 400),
    ("deep", b"[" * 100_000, JSON, 400),
    ("not UTF-8", b'{"question": "\xff"}', JSON, 400),
    ("plain text", b"what?", {"content-type": "text/plain"}, 400),
    ("a form", b"question=what", {"content-type": "application/x-www-form-urlencoded"}, 400),
    ("pickle", b"\x80\x04N.", {"content-type": "application/vnd.bentoml+pickle"}, 400),
    ("huge", b'{"question": "' + b"x" * 5_000_000 + b'"}', JSON, 413),
]


@pytest.mark.parametrize("path", ["/ask", "/retrieve", "/generate"])
@pytest.mark.parametrize(("body", "headers", "status"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES])
def test_bodies(service: RunningService, path: str, body: bytes, headers: dict[str, str], status: int) -> None:
    check(httpx.post(service.url + path, content=body, headers=headers, timeout=LIMIT_S), status)


FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("/ask", {}, "question"),
    ("/ask", {"question": ""}, "question"),
    ("/ask", {"question": "   "}, "question"),
    ("/ask", {"question": 7}, "question"),
    ("/ask", {"question": "x", "top_k": 0}, "top_k"),
    ("/ask", {"question": "x", "top_k": "4"}, "top_k"),
    ("/ask", {"question": "x", "temperature": 9}, "temperature"),
    ("/ask", {"question": "x", "max_tokens": -1}, "max_tokens"),
    ("/ask", {"question": "x", "history": [{"role": "king", "content": ""}]}, "history.0.role"),
    ("/ask", {"question": "x", "response_format": {"type": "xml"}}, "response_format"),
    ("/ask", {"question": "x", "frobnicate": 1}, "frobnicate"),
    ("/retrieve", {"query": "x", "mode": "magic"}, "mode"),
    ("/retrieve", {"query": "x", "rerank": "yes"}, "rerank"),
    ("/generate", {}, "prompt"),
    ("/generate", {"prompt": "x", "tokens": [1]}, "prompt"),
    ("/generate", {"tokens": [99_999_999]}, "tokens"),
    ("/generate", {"prompt": "x", "top_p": 0}, "top_p"),
    ("/generate", {"prompt": "x", "max_tokens": 900_000}, "max_tokens"),
    ("/generate", {"prompt": "x", "best_of": 3}, "best_of"),
]


@pytest.mark.parametrize(("path", "body", "param"), FIELDS, ids=[f"{f[0]} {f[2]} {i}" for i, f in enumerate(FIELDS)])
def test_fields(service: RunningService, path: str, body: dict[str, Any], param: str) -> None:
    error = check(httpx.post(service.url + path, json=body, timeout=LIMIT_S), 400)
    assert error["param"] == param
    assert param.split(".")[0] in error["message"]


def test_unknown_store_route_and_method(service: RunningService) -> None:
    missing = check(service.post("/retrieve", {"query": "x", "vector_store": "nope"}), 404)
    assert missing["code"] == "vector_store_not_found"
    assert check(httpx.post(service.url + "/nowhere", timeout=LIMIT_S), 404)["code"] == "not_found"
    assert check(httpx.get(service.url + "/ask", timeout=LIMIT_S), 405)["code"] == "method_not_allowed"


def test_uploads(service: RunningService) -> None:
    def upload(*parts: tuple[str, Any], data: dict[str, str] | None = None) -> httpx.Response:
        return httpx.post(service.url + "/ingest", files=list(parts), data=data or {}, timeout=LIMIT_S)

    file = ("files", ("a.md", b"# A"))
    assert check(upload(("files", ("a.exe", b"MZ\x90\x00\x03\x00\x00\x00"))), 415)["param"] == "a.exe"
    assert check(upload(("files", ("../../etc/passwd.md", b"# A"))), 400)["param"] == "files"
    assert check(upload(file, data={"attributes": "[1]"}), 400)["param"] == "attributes"
    assert check(upload(file, data={"attributes": '{"a": [1]}'}), 400)["param"] == "attributes"
    assert check(upload(file, data={"colour": "red"}), 400)["param"] == "colour"
    assert check(upload(file, data={"vector_store": "nope"}), 404)["code"] == "vector_store_not_found"
    assert check(upload(("files", ("big.md", b"x" * (33 * 2**20)))), 413)["param"] == "big.md"
    assert check(httpx.post(service.url + "/ingest", json={"files": []}, timeout=LIMIT_S), 400)


def test_the_request_id_is_the_clients_or_a_new_one(service: RunningService) -> None:
    given = httpx.post(service.url + "/ask", json={}, headers={"X-Request-ID": "abc-1"}, timeout=LIMIT_S)
    assert given.headers["x-request-id"] == given.json()["error"]["request_id"] == "abc-1"
    made = httpx.post(service.url + "/ask", json={}, headers={"X-Request-ID": "no spaces please"}, timeout=LIMIT_S)
    assert len(made.headers["x-request-id"]) == 32


def check(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error, after checking its shape."""
    assert response.status_code == status, response.text[:500]
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code", "retryable", "request_id"}
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"]
    return error


RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+ [\w-]+: ")


def test_no_path_forges_a_record_of_the_log(service: RunningService) -> None:
    for forged in ("%0a2026-01-01%2000:00:00,000%20INFO%20rag.access%20-:%20FORGED", "%0d%0aFORGED", "%e2%80%a8FORGED"):
        assert service.get(f"/v1/files/a{forged}").status_code == 404
    wait_until(lambda: service.log.read_text().count("FORGED") == 3)
    lines = [line for line in re.split(r"[\n\r\u2028]", service.log.read_text()) if "FORGED" in line]
    assert len(lines) == 3
    for line in lines:
        assert RECORD.match(line), line
        assert "GET /v1/files/a\\" in line
