"""Several replicas on one PostgreSQL, one Milvus and one folder."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.errors import DependencyUnavailable
from tests.e2e.running import ROOT
from tests.fakes import FakeVectorStore
from tests.support.library_harness import LibraryHarness, make_harness
from tests.support.servers.postgres import new_database

pytestmark = pytest.mark.integration


def test_a_replica_sees_the_changes_of_another(tmp_path: Path, postgres: str) -> None:
    url, store = new_database(postgres), FakeVectorStore()
    with make_harness(tmp_path, url=url, store=store) as one, make_harness(tmp_path, url=url, store=store) as two:
        one.ingest(("a.md", "apples"))
        assert two.texts("apples") == ["apples"]
        two.ingest(("a.md", "red apples"))
        assert one.texts("apples") == ["red apples"]
        one.clean()
        assert two.rows() == ["red apples"]


def test_concurrent_writers_on_two_replicas_make_one_document(tmp_path: Path, postgres: str) -> None:
    url, store = new_database(postgres), FakeVectorStore()
    with make_harness(tmp_path, url=url, store=store) as one, make_harness(tmp_path, url=url, store=store) as two:
        harnesses = [one, two] * 6

        def write(number: int) -> str:
            return harnesses[number].ingest(("a.md", f"apples {number % 3}")).state

        with ThreadPoolExecutor(12) as pool:
            assert list(pool.map(write, range(12))) == ["completed"] * 12
        assert len(one.texts("apples")) == 1
        deadline = time.monotonic() + 5
        while len(two.rows()) > 1:  # the last job may not be recorded yet
            assert time.monotonic() < deadline, two.rows()
            one.clean()


def test_a_job_of_a_dead_replica_is_resumed_by_another(tmp_path: Path, postgres: str) -> None:
    url, store = new_database(postgres), FakeVectorStore()
    with make_harness(tmp_path, url=url, store=store) as two:
        with make_harness(tmp_path, url=url, store=store) as one:
            one.embedders.default.failure = DependencyUnavailable("away")
            job = one.ingest(("a.md", "apples"), wait=False)
            deadline = time.monotonic() + 5
            while not one.library.job(job.job_id).waiting_for:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        make_stalled(two, job.job_id)
        two.runtime.janitor.run_maintenance()
        assert two.library.wait(job.job_id, 10).state == "completed"
        assert two.texts("apples") == ["apples"]


def make_stalled(harness: LibraryHarness, job_id: str) -> None:
    """Make all jobs look as if they had not reported for a long time."""
    with harness.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET alive_at = 1, created_at = 1")


def test_the_job_engine_works_on_postgresql(tmp_path: Path, postgres: str) -> None:
    script = """
import sys, time
from rag.adapters.dbos_jobs import DbosJobs
done = []
engine = DbosJobs(sys.argv[1])
def flow(job_id, steps):
    done.append(steps.run("double", lambda n: 2 * n, 21))
engine.start({"f": flow})
engine.submit("f", "job-1")
engine.submit("f", "job-1")
until = time.monotonic() + 20
while not done and time.monotonic() < until: time.sleep(0.05)
time.sleep(0.5)
engine.stop()
print(done)
"""
    command = [sys.executable, "-c", script, new_database(postgres)]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert completed.stdout.strip() == "[42]", completed.stderr
