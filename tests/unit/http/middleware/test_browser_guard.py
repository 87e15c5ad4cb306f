"""What a web page of another site makes a browser send is refused; programs and the service's own pages are not."""

from __future__ import annotations

import pytest

from rag.errors import Forbidden, InvalidRequest, RagError
from rag.http.middleware.browser_guard import BrowserGuard


def refusal(method: str, headers: dict[str, str], *, hosts: str = "", origins: str = "") -> RagError | None:
    pairs = {"host": "localhost:3000", **headers}
    scope = {
        "type": "http",
        "method": method,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs.items()],
    }
    return BrowserGuard(hosts.split(), origins.split()).refusal(scope)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:3000",
        "localhost.:3000",
        "rag.localhost:3000",
        "127.0.0.1:3000",
        "[::1]:3000",
        "10.0.0.7",
    ],
)
def test_local_names_and_addresses_are_always_served(host: str) -> None:
    assert refusal("GET", {"host": host}) is None


@pytest.mark.parametrize(
    ("host", "hosts", "is_served"),
    [
        ("evil.example", "", False),
        ("evil.example:3000", "rag.example.org", False),
        ("rag.example.org", "rag.example.org", True),
        ("RAG.example.org:443", "rag.example.org", True),
        ("a.example.org", ".example.org", True),
        ("a.example.org.evil.example", ".example.org", False),
        ("badexample.org", ".example.org", False),
        ("127.0.0.1.evil.example", "", False),
        ("localhost.evil.example", "", False),
        ("anything", "*", True),
    ],
)
def test_other_host_names_must_be_listed(host: str, hosts: str, is_served: bool) -> None:
    found = refusal("GET", {"host": host}, hosts=hosts)
    assert (found is None) == is_served
    if found is not None:
        assert isinstance(found, Forbidden)
        assert "RAG_SERVER__HOSTS" in found.message


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8080"},
        {"origin": "http://localhost:3000.evil.example"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_foreign_page_may_change_nothing(method: str, headers: dict[str, str]) -> None:
    assert isinstance(refusal(method, headers), Forbidden)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:3000", "sec-fetch-site": "same-origin"},
        {"origin": "https://LOCALHOST:3000"},
        {"sec-fetch-site": "none"},
    ],
)
def test_programs_and_own_pages_may(headers: dict[str, str]) -> None:
    assert refusal("POST", headers) is None


def test_listed_origins_may() -> None:
    headers = {"origin": "https://intranet.example", "sec-fetch-site": "cross-site"}
    assert refusal("POST", headers, origins="https://intranet.example") is None
    assert refusal("POST", headers, origins="*") is None
    assert isinstance(refusal("POST", headers, origins="https://other.example"), Forbidden)


def test_foreign_pages_may_read_what_the_browser_does_not_show_them() -> None:
    assert refusal("GET", {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}) is None


@pytest.mark.parametrize("body", [{"content-length": "2"}, {"transfer-encoding": "chunked"}])
def test_a_body_needs_its_content_type(body: dict[str, str]) -> None:
    assert isinstance(refusal("POST", body), InvalidRequest)
    assert isinstance(refusal("POST", body | {"content-type": " "}), InvalidRequest)
    assert refusal("POST", body | {"content-type": "application/json"}) is None
    assert refusal("POST", {"content-length": "0"}) is None
