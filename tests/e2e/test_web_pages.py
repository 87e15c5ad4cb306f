"""Pages in a browser: those of other sites have no effect here, and our own load nothing from elsewhere."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.e2e.running import LIMIT_S, RunningService

PAGE = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/ingest", {"files": {"files": ("a.md", b"planted")}}),
        ("/v1/files", {"files": {"file": ("a.md", b"planted")}}),
        ("/ask", {"content": b'{"question": "x"}', "headers": {"content-type": "text/plain"}}),
        ("/v1/vector_stores/default/reindex/forget", {}),
    ],
)
def test_a_foreign_page_has_no_effect(service: RunningService, path: str, sent: dict[str, object]) -> None:
    before = httpx.get(service.url + "/v1/files", timeout=LIMIT_S).json()
    headers = {**PAGE, **sent.pop("headers", {})}  # type: ignore[dict-item]
    response = httpx.post(service.url + path, headers=headers, timeout=LIMIT_S, **sent)  # type: ignore[arg-type]
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert "access-control-allow-origin" not in response.headers
    assert httpx.get(service.url + "/v1/files", timeout=LIMIT_S).json() == before


def test_a_name_that_was_pointed_here_is_refused(service: RunningService) -> None:
    response = httpx.get(service.url + "/v1/files", headers={"host": "evil.example:3000"}, timeout=LIMIT_S)
    assert response.status_code == 403
    assert "RAG_SERVER__HOSTS" in response.json()["error"]["message"]


def test_the_page_of_the_api_loads_only_files_of_this_service(service: RunningService) -> None:
    response = httpx.get(service.url + "/", timeout=LIMIT_S)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    targets = re.findall(r'(?:src|href)="([^"]+)"', response.text)
    assert targets
    for target in targets:
        assert target.startswith("./static_content/") or target == "./ui"
        assert httpx.get(f"{service.url}/{target}", timeout=LIMIT_S).status_code == 200
    assert "<script>" not in response.text
