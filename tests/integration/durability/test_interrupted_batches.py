"""Batches whose lines take a second: cancelled, of a revoked key, and when the whole service is killed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

from tests.e2e.running import LIMIT_S, RunningService, start_service, wait_until
from tests.support.files.batch_files import chat_line, create_batch, ended, lines_of
from tests.support.tenants import new_key

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]

ADMIN = "the-admin-key-of-these-tests-0123456789"
LINES = [chat_line(f"line {number}", f"Question {number}", "instant") for number in range(12)]


class SlowService:
    """The bundle with an engine that takes a second for an answer. It can be killed and started again."""

    def __init__(self, folder: Path, language_model: Path) -> None:
        self._folder = folder
        (folder / "data").mkdir()
        (folder / "data" / "models").symlink_to(language_model.parent)
        self.running = self._start()

    def _start(self) -> RunningService:
        started = start_service(
            self._folder / "data",
            self._folder / "service.log",
            target="bench.instant_bundle:RAG",
            BENCH_TOKENS_PER_S="1500",
            RAG_SERVER__ADMIN_KEY=ADMIN,
            HF_HUB_OFFLINE="1",
        )
        started.headers["authorization"] = f"Bearer {ADMIN}"
        started.wait_until_ready()
        return started

    def kill(self) -> None:
        """Kill all of its processes at once."""
        family = self.running.processes()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=LIMIT_S)
        self.running.process.wait(LIMIT_S)

    def restart(self) -> None:
        self.running = self._start()

    def client(self, key: str = ADMIN) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.running.url}/v1", api_key=key, timeout=LIMIT_S, max_retries=0)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, language_model: Path) -> Iterator[SlowService]:
    service = SlowService(tmp_path_factory.mktemp("slow"), language_model)
    yield service
    service.running.end()
    service.running.process.wait(LIMIT_S)


def wait_for_lines(client: openai.OpenAI, batch_id: str, number: int) -> None:
    def done() -> bool:
        batch: Any = client.batches.retrieve(batch_id)
        return bool(batch.request_counts.completed >= number)

    wait_until(done, what="no line was answered")


def test_a_cancelled_batch_keeps_its_answers_and_says_which_are_missing(slow: SlowService) -> None:
    with slow.client() as client:
        batch = create_batch(client, LINES)
        wait_for_lines(client, batch.id, 1)
        assert client.batches.cancel(batch.id).status == "cancelling"
        done = ended(client, batch.id)
        assert (done.status, done.errors) == ("cancelled", None)
        assert done.cancelling_at <= done.cancelled_at
        answered, missing = lines_of(client, done.output_file_id), lines_of(client, done.error_file_id)
        assert sorted(line["custom_id"] for line in answered + missing) == sorted(line["custom_id"] for line in LINES)
        assert {line["response"]["status_code"] for line in answered} == {200}
        assert {(line["response"], line["error"]["code"]) for line in missing} == {(None, "batch_cancelled")}
        counts = {"total": len(LINES), "completed": len(answered), "failed": len(missing)}
        assert done.request_counts.to_dict() == counts


def test_a_revoked_key_ends_its_batches(slow: SlowService) -> None:
    with httpx.Client(base_url=slow.running.url, headers=slow.running.headers, timeout=LIMIT_S) as admin:
        key = new_key(admin)
        with slow.client(key["secret"]) as client:
            batch = create_batch(client, LINES)
            wait_for_lines(client, batch.id, 1)
        assert admin.delete(f"/v1/keys/{key['id']}").status_code == 200
    with slow.client() as client:
        done = ended(client, batch.id)
        assert (done.status, [error.code for error in done.errors.data]) == ("failed", ["invalid_api_key"])
        assert "is revoked" in done.errors.data[0].message
        missing = lines_of(client, done.error_file_id)
        assert {line["error"]["code"] for line in missing} == {"invalid_api_key"}
        assert len(lines_of(client, done.output_file_id)) + len(missing) == len(LINES)


def test_a_killed_service_answers_each_line_once_after_its_restart(slow: SlowService) -> None:
    with slow.client() as client:
        batch, waiting = create_batch(client, LINES), create_batch(client, LINES[:2])
        client.files.delete(batch.input_file_id)
        wait_for_lines(client, batch.id, 2)
    slow.kill()
    slow.restart()
    with slow.client() as client:
        for created, number in ((batch, len(LINES)), (waiting, 2)):
            done = ended(client, created.id)
            assert (done.status, done.error_file_id) == ("completed", None)
            assert done.request_counts.to_dict() == {"total": number, "completed": number, "failed": 0}
            answered = [line["custom_id"] for line in lines_of(client, done.output_file_id)]
            assert answered == [line["custom_id"] for line in LINES[:number]]
