"""DBOS on SQLite keeps the contract of `rag.ports.JobEngine` when its process stops, is killed or crashes.

DBOS is global to a process, so each test runs one or more processes. A process runs one method of `ProcessRuns`.
The processes are forked from a server that has already imported DBOS, because the import takes longer than most runs.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from rag.adapters.dbos_jobs import DbosJobs
from rag.ingest.job import JobInterrupted
from rag.ports import JobEngine, Steps
from tests.fakes import FakeJobEngine

_TIMEOUT_S = 60.0
"""The limit of every wait. Far longer than needed; it only ends a test that would hang."""
_PROCESS_TIMEOUT_S = 120.0
_MAX_STOP_S = 20.0
_WORKERS = 3
_fork_server = multiprocessing.get_context("forkserver")
_fork_server.set_forkserver_preload(["rag.adapters.dbos_jobs", __name__])

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


def wait_until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Raises AssertionError with `what()` if the condition does not hold in time."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


class Journal:
    """A file of lines. A line is written when `note` returns, even if the process is killed then."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal"

    def note(self, line: str) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, f"{line}\n".encode())
        os.close(file)

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def wait_for(self, line: str, count: int = 1) -> None:
        wait_until(
            lambda: self.lines.count(line) >= count,
            lambda: f"{line!r} not {count} times in the journal: {self.lines}",
        )


class ProcessRuns:
    """What one process does from its start to its end; one method for each kind of process."""

    def __init__(self, folder: Path, engine: JobEngine | None = None) -> None:
        self.folder = folder
        self.journal = Journal(folder)
        self.engine = engine or DbosJobs(f"sqlite:///{folder / 'jobs.db'}", at_once=_WORKERS)
        self.stopping = threading.Event()
        self.stopped = threading.Event()

    def flow(self, in_second_step: Callable[[], None] = lambda: None) -> Callable[[str, Steps], None]:
        def flow(job_id: str, steps: Steps) -> None:
            result = steps.run("first", self._first, job_id)
            steps.run("second", self._second, job_id, result, in_second_step)
            self.journal.note(f"{job_id} done")

        return flow

    def _first(self, job_id: str) -> list[int]:
        self.journal.note(f"{job_id} first")
        return [len(self.journal.lines)]

    def _second(self, job_id: str, result: list[int], in_second_step: Callable[[], None]) -> None:
        self.journal.note(f"{job_id} second after {result}")
        in_second_step()

    def _wait_for_status(self, job_id: str, status: str) -> None:
        """Wait until DBOS has recorded the end of a job."""
        if isinstance(self.engine, FakeJobEngine):
            return

        def recorded() -> list[tuple[object, ...]]:
            return in_jobs_db(self.folder, f"SELECT status FROM workflow_status WHERE workflow_uuid = '{job_id}'")

        wait_until(lambda: recorded() == [(status,)], lambda: f"{job_id} is {recorded()}, not {status}")

    def _run_marker(self) -> None:
        """Run another job. Jobs submitted before it have started when it ends."""
        self.engine.submit("flow", "marker")
        self.journal.wait_for("marker done")

    def works(self) -> None:
        """Resumes the jobs of an earlier process, and runs job `a`."""
        self.engine.start({"flow": self.flow()})
        self.engine.submit("flow", "a")
        self.journal.wait_for("a done")
        self.engine.stop()

    def submits_twice(self) -> None:
        self.engine.start({"flow": self.flow(lambda: time.sleep(0.1))})
        self.engine.submit("flow", "a")
        self.engine.submit("flow", "a")
        self.journal.wait_for("a done")
        self._wait_for_status("a", "SUCCESS")
        self.engine.submit("flow", "a")
        self._run_marker()
        self.engine.stop()

    def dies(self) -> None:
        self.engine.start({"flow": self.flow(lambda: os._exit(9))})
        self.engine.submit("flow", "a")
        time.sleep(_TIMEOUT_S)

    def resumes(self) -> None:
        """Resumes the jobs of an earlier process."""
        self.engine.start({"flow": self.flow()})
        self.journal.wait_for("a done")
        self.engine.stop()

    def stops_in_a_step(self) -> None:
        """The running steps notice that the process is stopping, as those of a real job do."""

        def interrupted() -> None:
            self.stopping.wait()
            raise JobInterrupted

        self._stops_while(interrupted)

    def stops_in_a_deaf_step(self) -> None:
        """The running steps end after the engine has stopped."""
        self._stops_while(lambda: self.stopped.wait(_TIMEOUT_S))

    def _stops_while(self, in_second_step: Callable[[], object]) -> None:
        def second_step() -> None:
            in_second_step()

        self.engine.start({"flow": self.flow(second_step)})
        for job_id in "abcdef":
            self.engine.submit("flow", job_id)
        wait_until(
            lambda: sum(" second after " in line for line in self.journal.lines) == _WORKERS,
            lambda: f"not {_WORKERS} jobs in their second step: {self.journal.lines}",
        )
        self.stopping.set()
        started = time.monotonic()
        self.engine.stop()
        assert time.monotonic() - started < _MAX_STOP_S
        self.stopped.set()

    def finishes_six(self) -> None:
        self.engine.start({"flow": self.flow()})
        for job_id in "abcdef":
            self.engine.submit("flow", job_id)
        for job_id in "abcdef":
            self.journal.wait_for(f"{job_id} done")
        self.engine.stop()

    def swallows(self) -> None:
        """The flow handles the error of a step."""

        def flow(job_id: str, steps: Steps) -> None:
            def fails() -> None:
                self.journal.note(f"{job_id} failed")
                raise ValueError

            try:
                steps.run("fails", fails)
            except ValueError:
                self.journal.note(f"{job_id} done")

        self.engine.start({"flow": flow})
        self.engine.submit("flow", "a")
        self.journal.wait_for("a done")
        self._wait_for_status("a", "SUCCESS")
        self.engine.submit("flow", "a")
        self._run_marker()
        self.engine.stop()

    def raises(self) -> None:
        def flow(job_id: str, steps: Steps) -> None:
            steps.run("first", self._first, job_id)
            self.journal.note(f"{job_id} raised")
            raise ValueError

        self.engine.start({"flow": flow})
        self.engine.submit("flow", "a")
        self.journal.wait_for("a raised")
        self._wait_for_status("a", "ERROR")
        self.engine.stop()

    def forgets(self) -> None:
        self.engine.start({"flow": self.flow()})
        self.engine.submit("flow", "a")
        self.journal.wait_for("a done")
        self._wait_for_status("a", "SUCCESS")
        self.engine.forget(["a", "unknown"])
        self.engine.submit("flow", "a")
        self.journal.wait_for("a done", 2)
        self._wait_for_status("a", "SUCCESS")
        self.engine.forget(["a"])
        self.engine.stop()

    def runs_many(self) -> None:
        running, max_running, lock = Counter[str](), [0], threading.Lock()

        def count_running() -> None:
            with lock:
                running["now"] += 1
                max_running[0] = max(max_running[0], running["now"])
            time.sleep(0.05)
            with lock:
                running["now"] -= 1

        self.engine.start({"flow": self.flow(count_running)})
        for number in range(40):
            self.engine.submit("flow", f"job-{number}")
        for number in range(40):
            self.journal.wait_for(f"job-{number} done")
        self.engine.stop()
        self.journal.note(f"at once {max_running[0]}")

    def runs_another_store(self) -> None:
        """One vector store has more jobs than run at the same time, and none of them ends before another store's."""

        def waits() -> None:
            self.stopped.wait(_TIMEOUT_S)

        self.engine.start({"flow": self.flow(), "waits": self.flow(waits)})
        for number in range(3 * _WORKERS):
            self.engine.submit("waits", f"many-{number}", "vs_1")
        wait_until(
            lambda: sum(" second after " in line for line in self.journal.lines) == _WORKERS,
            lambda: f"not {_WORKERS} jobs in their second step: {self.journal.lines}",
        )
        self.engine.submit("flow", "one", "vs_2")
        self.journal.wait_for("one done")
        self.stopped.set()
        for number in range(3 * _WORKERS):
            self.journal.wait_for(f"many-{number} done")
        self.engine.stop()


def run_here(folder: Path, method: str) -> None:
    """In the forked process: run a method with stderr redirected to a file."""
    file = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, 2)
    getattr(ProcessRuns(folder), method)()
    threading._shutdown()  # type: ignore[attr-defined] # a forked process skips what an interpreter does at its exit
    atexit._run_exitfuncs()


def start_process(folder: Path, method: str) -> ForkServerProcess:
    process = _fork_server.Process(target=run_here, args=(folder, method))
    process.start()
    return process


def run_process(folder: Path, method: str, *, exit_code: int = 0) -> str:
    """Run a method in a process. Returns what it wrote to stderr."""
    process = start_process(folder, method)
    process.join(_PROCESS_TIMEOUT_S)
    if process.is_alive():
        process.kill()
    process.join()
    stderr = (folder / "stderr").read_text()
    assert process.exitcode == exit_code, stderr
    return stderr


def counts(folder: Path) -> Counter[str]:
    """How often each line was noted, without the results, which differ between processes."""
    lines = (line.split(" after ")[0] for line in Journal(folder).lines)
    return Counter(line for line in lines if not line.startswith("marker "))


def in_jobs_db(folder: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "jobs.db", timeout=_TIMEOUT_S)) as connection, connection:
        return connection.execute(statement).fetchall()


def test_a_job_that_is_submitted_twice_runs_once(tmp_path: Path) -> None:
    run_process(tmp_path, "submits_twice")
    assert counts(tmp_path) == {"a first": 1, "a second": 1, "a done": 1}


@pytest.mark.parametrize(("method", "done"), [("works", 1), ("submits_twice", 1), ("swallows", 1), ("forgets", 2)])
def test_the_fake_behaves_the_same(tmp_path: Path, method: str, done: int) -> None:
    getattr(ProcessRuns(tmp_path, FakeJobEngine()), method)()
    assert all(count == done for count in counts(tmp_path).values())
    assert counts(tmp_path)["a done"] == done


def test_a_killed_job_resumes_after_its_last_finished_step(tmp_path: Path) -> None:
    run_process(tmp_path, "dies", exit_code=9)
    run_process(tmp_path, "dies", exit_code=9)
    run_process(tmp_path, "resumes")
    assert counts(tmp_path) == {"a first": 1, "a second": 3, "a done": 1}
    assert len({line for line in Journal(tmp_path).lines if "second" in line}) == 1, (
        "`first` must return its stored result"
    )


def test_a_job_that_resumes_and_is_submitted_again_runs_once(tmp_path: Path) -> None:
    run_process(tmp_path, "dies", exit_code=9)
    run_process(tmp_path, "works")
    assert counts(tmp_path) == {"a first": 1, "a second": 2, "a done": 1}


@pytest.mark.parametrize("method", ["stops_in_a_step", "stops_in_a_deaf_step"])
def test_jobs_resume_after_a_stop(tmp_path: Path, method: str) -> None:
    stderr = run_process(tmp_path, method)
    assert "Traceback" not in stderr, stderr
    assert "Exception" not in stderr, stderr
    assert in_jobs_db(tmp_path, "SELECT count(*) FROM workflow_status") == [(6,)]
    # How many of them DBOS has taken from its queue when it stops is its own affair.
    statuses = in_jobs_db(tmp_path, "SELECT DISTINCT status FROM workflow_status ORDER BY 1")
    assert set(statuses) <= {("ENQUEUED",), ("PENDING",)}
    assert in_jobs_db(tmp_path, "SELECT * FROM operation_outputs WHERE error IS NOT NULL") == []
    run_process(tmp_path, "finishes_six")
    assert {f"{job} first" for job in "abcdef"} | {f"{job} done" for job in "abcdef"} <= counts(tmp_path).keys()
    assert all(counts(tmp_path)[f"{job} {what}"] == 1 for job in "abcdef" for what in ("first", "done"))


def test_a_flow_that_handles_an_error_is_finished(tmp_path: Path) -> None:
    run_process(tmp_path, "swallows")
    run_process(tmp_path, "works")
    assert counts(tmp_path) == {"a failed": 1, "a done": 1}


def test_a_failed_job_runs_again_when_it_is_resubmitted(tmp_path: Path) -> None:
    run_process(tmp_path, "raises")
    assert in_jobs_db(tmp_path, "SELECT status FROM workflow_status") == [("ERROR",)]
    run_process(tmp_path, "works")
    assert counts(tmp_path) == {"a first": 2, "a raised": 1, "a second": 1, "a done": 1}


def test_a_job_of_another_process_is_resumed(tmp_path: Path) -> None:
    run_process(tmp_path, "dies", exit_code=9)
    in_jobs_db(tmp_path, "UPDATE workflow_status SET executor_id = 'another'")
    run_process(tmp_path, "works")
    assert counts(tmp_path) == {"a first": 1, "a second": 2, "a done": 1}


def test_jobs_of_an_earlier_version_of_the_flows_start_over(tmp_path: Path) -> None:
    run_process(tmp_path, "stops_in_a_step")
    in_jobs_db(tmp_path, "UPDATE workflow_status SET application_version = '0'")
    run_process(tmp_path, "finishes_six")
    assert all(counts(tmp_path)[f"{job} done"] == 1 for job in "abcdef")
    assert counts(tmp_path)["a first"] == 2


def test_a_forgotten_job_leaves_no_records(tmp_path: Path) -> None:
    run_process(tmp_path, "forgets")
    assert counts(tmp_path)["a done"] == 2
    for table in ("workflow_status", "operation_outputs"):
        assert in_jobs_db(tmp_path, f"SELECT * FROM {table}") == []


def test_the_number_of_concurrent_jobs_is_limited(tmp_path: Path) -> None:
    run_process(tmp_path, "runs_many")
    lines = Journal(tmp_path).lines
    assert sum(line.endswith("done") for line in lines) == 40
    assert int(lines[-1].removeprefix("at once ")) <= _WORKERS  # another test sees all of them at work


def test_jobs_of_one_vector_store_do_not_hold_up_those_of_another(tmp_path: Path) -> None:
    run_process(tmp_path, "runs_another_store")
    done = [line for line in Journal(tmp_path).lines if line.endswith("done")]
    assert done[0] == "one done"
    assert len(done) == 1 + 3 * _WORKERS


def test_a_process_killed_during_its_start_loses_no_job(tmp_path: Path) -> None:
    run_process(tmp_path, "dies", exit_code=9)
    for delay_s in (0.05, 0.15, 0.4):
        process = start_process(tmp_path, "resumes")
        time.sleep(delay_s)
        process.kill()
        process.join()
    run_process(tmp_path, "works")
    assert counts(tmp_path)["a first"] == 1
    assert counts(tmp_path)["a done"] == 1
