"""The end of things, last in the session: the engine dies, the service is told to stop."""

from __future__ import annotations

import signal
import threading
import time

import httpx
import psutil

from tests.e2e.running import Answered, RunningService

RECOVERY_S = 180


def test_a_dead_engine_is_told_and_recovered_from(filled: RunningService) -> None:
    body = {"prompt": "Once upon a time", "max_tokens": 4000, "ignore_eos": True}
    with filled.open("/generate", body) as events:
        for _ in range(5):
            next(events)
        filled.engine_core().kill()
        died = time.monotonic()
        names = [(name, data) for name, data in events if name != "token"]
        assert time.monotonic() - died < 5
    assert [name for name, _ in names] == ["error"]
    assert names[0][1]["code"] == "dependency_unavailable"
    assert names[0][1]["retryable"] is True
    while filled.is_ready():
        assert time.monotonic() - died < 5
    assert filled.get("/readyz").json()["error"]["code"] == "dependency_unavailable"
    assert filled.post("/ask", {"question": "x"}).status_code == 503
    recovered_by = time.monotonic() + RECOVERY_S
    while not filled.is_ready():
        assert time.monotonic() < recovered_by
        time.sleep(1)
    again = filled.stream("/ask", {"question": "Where did Gutenberg build his press?", "max_tokens": 30})
    assert again.names[-1] == "done"
    assert filled.post("/generate", {"model": "tuned", "prompt": "x", "max_tokens": 2, "stream": False}).is_success


def test_sigterm_finishes_streams_refuses_new_requests_and_leaves_nothing(filled: RunningService) -> None:
    """All processes get the signal at once; requests in retrieval still need the others (docs/bentoml_issues.md#b6)."""
    answers: list[Answered] = []
    body = {"prompt": "Once upon a time", "max_tokens": 150, "ignore_eos": True}
    streams = [threading.Thread(target=lambda: answers.append(filled.stream("/generate", body))) for _ in range(4)]
    asks = [threading.Thread(target=lambda: answers.append(filled.stream("/ask", QUESTION))) for _ in range(4)]
    for thread in streams:
        thread.start()
    time.sleep(1.0)
    family = filled.processes()
    for thread in asks:  # some of these are still retrieving when the signal comes
        thread.start()
    while filled.get("/readyz").json()["in_flight"] < 8:
        time.sleep(0.005)
    filled.process.send_signal(signal.SIGTERM)
    assert_refused_soon(filled)
    for thread in (*streams, *asks):
        thread.join(120)
    ended = time.monotonic()
    assert [answer.names[-1] for answer in answers] == ["done"] * 8
    _, alive = psutil.wait_procs(family, timeout=max(0.1, ended + 10 - time.monotonic()))
    assert [process.name() for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


QUESTION = {"question": "Where did Gutenberg build his printing press?", "max_tokens": 60}


def assert_refused_soon(service: RunningService) -> None:
    deadline = time.monotonic() + 2
    while (ready := service.get("/readyz")).status_code == 200:
        assert time.monotonic() < deadline
    assert ready.json()["error"]["code"] == "draining"
    refused = httpx.post(service.url + "/ask", json={"question": "x"}, timeout=10)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
    assert "retry-after" in refused.headers
