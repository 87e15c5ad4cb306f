"""The engine's prefix cache is separated by tenant."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlparse

import httpx

from rag.auth.caller import Caller, caller_to_header
from rag.auth.scopes import SCOPES
from rag.http.auth.admission import CALLER_HEADER
from tests.e2e.running import LIMIT_S, RunningService

PROMPT = "A prompt that only one tenant has asked, long enough for several blocks of the cache. " * 12


def cached_tokens(service: RunningService, tenant: str) -> int:
    """Ask the LLM service as a tenant. How many tokens of the prompt it knew already."""
    caller = Caller("key", tenant, frozenset(SCOPES))
    body: dict[str, Any] = {"prompt": PROMPT, "max_tokens": 1, "temperature": 0, "stream": False}
    transport = httpx.HTTPTransport(uds=unquote(urlparse(service.inner_url("LLM")).path))
    with httpx.Client(transport=transport, base_url="http://inner", timeout=LIMIT_S) as http:
        answer = http.post("/generate", json=body, headers={CALLER_HEADER: caller_to_header(caller)})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["usage"]["cached_tokens"])


def test_no_tenant_can_tell_what_another_one_asked(service: RunningService) -> None:
    assert cached_tokens(service, "acme") == 0
    assert cached_tokens(service, "acme") > 0
    assert cached_tokens(service, "umbra") == 0
    assert cached_tokens(service, "default") == 0
