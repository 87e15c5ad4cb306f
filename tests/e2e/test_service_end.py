"""The engine is killed, and the service is stopped. These tests run last: see tests/e2e/conftest.py."""

from __future__ import annotations

import signal
import threading

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import AXOLOTL
from tests.e2e.running import ENDLESS_TOKENS, LIMIT_S, Answered, RunningService, wait_until
from tests.e2e.test_web_page import (  # fixtures are found by their names
    QUESTION as PAGE_QUESTION,
)
from tests.e2e.test_web_page import (
    add_documents,
    ask_endlessly,
    context,
    page,
    store,
)

__all__ = ["context", "page", "store"]


@pytest.mark.long
def test_a_dead_engine_is_reported_and_restarted(page: Page, filled: RunningService, store: str) -> None:
    add_documents(page, store, {"axolotl.md": AXOLOTL})
    ask_endlessly(page, filled)
    answer = page.locator(".answer")
    expect(answer).not_to_be_empty()
    written = words(answer.text_content())
    body = {"prompt": "Once upon a time", "max_tokens": ENDLESS_TOKENS, "ignore_eos": True}
    with filled.open("/generate", body) as events:
        for _ in range(5):
            next(events)
        filled.engine_core().kill()
        names = [(name, data) for name, data in events if name != "token"]
    assert [name for name, _ in names] == ["error"]
    assert names[0][1]["code"] == "dependency_unavailable"
    assert names[0][1]["retryable"] is True
    wait_until(lambda: not filled.is_ready())
    assert filled.get("/readyz").json()["error"]["code"] == "dependency_unavailable"
    assert filled.post("/ask", {"question": "x"}).status_code == 503
    assert_the_page_keeps(page, written)
    filled.wait_until_ready()
    again = filled.stream("/ask", {"question": "Where did Gutenberg build his press?", "max_tokens": 30})
    assert again.names[-1] == "done"
    assert filled.post("/generate", {"model": "tuned", "prompt": "x", "max_tokens": 2, "stream": False}).is_success


def assert_the_page_keeps(page: Page, written: str) -> None:
    """Of an answer whose engine died, the page keeps at least this text, marked as incomplete, also when reloaded."""
    answer, alert = page.locator(".answer"), page.get_by_role("alert")
    expect(alert).to_contain_text("Incomplete answer:")
    kept = words(answer.text_content())
    assert kept.startswith(written)
    page.reload()
    expect(page.get_by_role("heading", name=PAGE_QUESTION)).to_be_visible()
    expect(alert).to_contain_text("Incomplete answer:")
    assert words(answer.text_content()) == kept
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def words(text: str | None) -> str:
    return " ".join((text or "").split())


def test_sigterm_finishes_streams_refuses_new_requests_and_leaves_nothing(filled: RunningService) -> None:
    """All processes get the signal at once; requests in retrieval still need the others (docs/bentoml_issues.md#b6)."""
    answers: list[Answered] = []
    body = {"prompt": "Once upon a time", "max_tokens": 80, "ignore_eos": True}
    streams = [threading.Thread(target=lambda: answers.append(filled.stream("/generate", body))) for _ in range(4)]
    asks = [threading.Thread(target=lambda: answers.append(filled.stream("/ask", QUESTION))) for _ in range(4)]
    for thread in streams:
        thread.start()
    wait_until(lambda: filled.running() == 4)
    family = filled.processes()
    for thread in asks:  # some of these are still retrieving when the signal comes
        thread.start()
    while filled.get("/readyz").json()["in_flight"] < 8:
        assert any(thread.is_alive() for thread in asks), "the questions ended before the signal"
    filled.process.send_signal(signal.SIGTERM)
    assert_refused_soon(filled)
    for thread in (*streams, *asks):
        thread.join(LIMIT_S)
    assert [answer.names[-1] for answer in answers] == ["done"] * 8
    _, alive = psutil.wait_procs(family, timeout=LIMIT_S)
    assert [process.name() for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


QUESTION = {"question": "Where did Gutenberg build his printing press?", "style": "written", "max_tokens": 60}
"""A quoted answer would be complete before the signal."""


def assert_refused_soon(service: RunningService) -> None:
    wait_until(lambda: not service.is_ready())
    assert service.get("/readyz").json()["error"]["code"] == "draining"
    refused = service.post("/ask", {"question": "x"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
    assert "retry-after" in refused.headers
