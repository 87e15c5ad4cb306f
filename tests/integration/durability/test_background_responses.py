"""Responses in the background when every process of the service is killed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.e2e.running import LIMIT_S, RunningService, start_service, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]

TOKENS_PER_S = "20"
"""So slow that an answer takes more than a minute."""


@pytest.fixture
def start(tmp_path: Path, language_model: Path) -> Iterator[Callable[..., RunningService]]:
    """Starts the bundle with a fake engine, which ends every text as if it were cut, on the same data each time."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(language_model.parent)
    started: list[RunningService] = []

    def begin(**options: Any) -> RunningService:
        log = tmp_path / f"service-{len(started)}.log"
        options |= {"HF_HUB_OFFLINE": "1", "RAG_RESPONSES__BACKGROUND_AT_ONCE": "1"}
        started.append(start_service(tmp_path / "data", log, target="bench.instant_bundle:RAG", **options))
        started[-1].wait_until_ready()
        return started[-1]

    yield begin
    for service in started:
        service.end()


def ask(service: RunningService, **body: Any) -> dict[str, Any]:
    answer = service.post("/v1/responses", {"model": "instant", "input": "Where?", "background": True, **body})
    assert answer.status_code == 200, answer.text
    response: dict[str, Any] = answer.json()
    return response


def kill(service: RunningService) -> None:
    """All processes at once, as when the machine fails."""
    for process in service.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    service.process.wait()


def test_what_was_accepted_is_taken_up_again(start: Callable[..., RunningService]) -> None:
    service = start(BENCH_TOKENS_PER_S=TOKENS_PER_S)
    store = service.post("/v1/vector_stores", {"name": "gone"}).json()["id"]
    streamed = {"model": "instant", "input": "Where?", "background": True, "stream": True}
    seen: list[dict[str, Any]] = []
    with service.open("/v1/responses", streamed) as events:
        for name, data in events:
            seen.append(data)
            if name == "response.output_text.delta":
                break
    running = seen[0]["response"]["id"]
    queued, cancelled = ask(service)["id"], ask(service)["id"]
    doomed = ask(service, tools=[{"type": "file_search", "vector_store_ids": [store]}])["id"]
    assert service.post(f"/v1/responses/{cancelled}/cancel", {}).json()["status"] == "cancelled"
    assert httpx.delete(f"{service.url}/v1/vector_stores/{store}", timeout=LIMIT_S).status_code == 200
    assert service.get(f"/v1/responses/{running}").json()["status"] == "in_progress"
    kill(service)

    service = start()

    def kept(response_id: str) -> dict[str, Any]:
        found: dict[str, Any] = service.get(f"/v1/responses/{response_id}").json()
        return found

    ids = (running, queued, cancelled, doomed)

    def has_ended(response_id: str) -> bool:
        return kept(response_id).get("status", "unavailable") not in ("queued", "in_progress", "unavailable")

    wait_until(lambda: all(map(has_ended, ids)), what="a response has not ended, or cannot be read")
    assert [kept(each)["status"] for each in ids] == ["incomplete", "incomplete", "cancelled", "failed"]
    assert kept(doomed)["error"]["type"] == "vector_store_not_found"
    path = f"/v1/responses/{running}?stream=true&starting_after={seen[-1]['sequence_number']}"
    rest = httpx.get(service.url + path, timeout=LIMIT_S)
    names = [line.removeprefix("event: ") for line in rest.text.splitlines() if line.startswith("event: ")]
    assert (names[0], names[-1]) == ("response.in_progress", "response.incomplete")
