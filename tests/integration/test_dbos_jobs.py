"""What `rag.ports.JobEngine` promises, kept by DBOS on SQLite through the deaths of its process.

DBOS is a global of its process: each life is a process of its own, which runs one of the functions in `Lives`.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from rag.adapters.dbos_jobs import DbosJobs
from rag.ingest.job import JobInterrupted
from rag.ports import JobEngine, Steps
from tests.fakes import FakeJobEngine

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

_ROOT = Path(__file__).resolve().parents[2]
_ENDS_IN_S = 30.0
_EVENTUALLY_S = 15.0


class Diary:
    """Lines that are in the file when the call returns."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "diary"

    def note(self, line: str) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, f"{line}\n".encode())
        os.close(file)

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def wait_for(self, line: str, times: int = 1) -> None:
        until = time.monotonic() + _EVENTUALLY_S
        while self.lines.count(line) < times:
            assert time.monotonic() < until, f"{line!r} never came {times} times: {self.lines}"
            time.sleep(0.02)


class Lives:
    """What a process does from its start to its end."""

    def __init__(self, folder: Path, engine: JobEngine | None = None) -> None:
        self.diary = Diary(folder)
        self.engine = engine or DbosJobs(f"sqlite:///{folder / 'jobs.db'}", at_once=3)
        self.stopping = threading.Event()

    def flow(self, in_the_middle: Callable[[], None] = lambda: None) -> Callable[[str, Steps], None]:
        def flow(job_id: str, steps: Steps) -> None:
            kept = steps.run("first", self._first, job_id)
            steps.run("second", self._second, job_id, kept, in_the_middle)
            self.diary.note(f"{job_id} done")

        return flow

    def _first(self, job_id: str) -> list[int]:
        self.diary.note(f"{job_id} first")
        return [len(self.diary.lines)]

    def _second(self, job_id: str, kept: list[int], in_the_middle: Callable[[], None]) -> None:
        self.diary.note(f"{job_id} second after {kept}")
        in_the_middle()

    def works(self) -> None:
        """Does what an earlier life left, and job `a`."""
        self.engine.start({"flow": self.flow()})
        self.engine.submit("flow", "a")
        self.diary.wait_for("a done")
        self.engine.stop()

    def submits_twice(self) -> None:
        self.engine.start({"flow": self.flow(lambda: time.sleep(0.3))})
        self.engine.submit("flow", "a")
        self.engine.submit("flow", "a")
        self.diary.wait_for("a done")
        self.engine.submit("flow", "a")
        time.sleep(1.0)
        self.engine.stop()

    def dies(self) -> None:
        self.engine.start({"flow": self.flow(lambda: os._exit(9))})
        self.engine.submit("flow", "a")
        time.sleep(_EVENTUALLY_S)

    def goes_on_by_itself(self) -> None:
        self.engine.start({"flow": self.flow()})
        self.diary.wait_for("a done")
        self.engine.stop()

    def stops_in_a_step(self) -> None:
        """The step notices that it must stop, as those of a real job do."""

        def until_told() -> None:
            self.stopping.wait()
            raise JobInterrupted

        self._stops_while(until_told)

    def stops_in_a_deaf_step(self) -> None:
        """The step comes to its end after the engine has gone."""
        self._stops_while(lambda: time.sleep(1.5))

    def _stops_while(self, in_the_middle: Callable[[], None]) -> None:
        self.engine.start({"flow": self.flow(in_the_middle)})
        for job_id in "abcdef":
            self.engine.submit("flow", job_id)
        self.diary.wait_for("a first")
        time.sleep(0.5)
        self.stopping.set()
        self.engine.stop()

    def finishes_six(self) -> None:
        self.engine.start({"flow": self.flow()})
        for job_id in "abcdef":
            self.engine.submit("flow", job_id)
        for job_id in "abcdef":
            self.diary.wait_for(f"{job_id} done")
        self.engine.stop()

    def swallows(self) -> None:
        def flow(job_id: str, steps: Steps) -> None:
            def fails() -> None:
                self.diary.note(f"{job_id} failed")
                raise ValueError

            try:
                steps.run("fails", fails)
            except ValueError:
                self.diary.note(f"{job_id} done")

        self.engine.start({"flow": flow})
        self.engine.submit("flow", "a")
        self.diary.wait_for("a done")
        time.sleep(0.3)
        self.engine.submit("flow", "a")
        time.sleep(1.0)
        self.engine.stop()

    def raises(self) -> None:
        def flow(job_id: str, steps: Steps) -> None:
            steps.run("first", self._first, job_id)
            self.diary.note(f"{job_id} raised")
            raise ValueError

        self.engine.start({"flow": flow})
        self.engine.submit("flow", "a")
        self.diary.wait_for("a raised")
        time.sleep(0.5)
        self.engine.stop()

    def forgets(self) -> None:
        self.engine.start({"flow": self.flow()})
        self.engine.submit("flow", "a")
        self.diary.wait_for("a done")
        time.sleep(0.3)
        self.engine.forget(["a", "never-heard-of"])
        self.engine.submit("flow", "a")
        self.diary.wait_for("a done", 2)
        time.sleep(0.3)
        self.engine.forget(["a"])
        self.engine.stop()

    def does_many(self) -> None:
        in_work, most, lock = Counter[str](), [0], threading.Lock()

        def busy() -> None:
            with lock:
                in_work["now"] += 1
                most[0] = max(most[0], in_work["now"])
            time.sleep(0.05)
            with lock:
                in_work["now"] -= 1

        self.engine.start({"flow": self.flow(busy)})
        for number in range(40):
            self.engine.submit("flow", f"job-{number}")
        for number in range(40):
            self.diary.wait_for(f"job-{number} done")
        self.engine.stop()
        self.diary.note(f"at once {most[0]}")


def live(folder: str, life: str) -> None:
    getattr(Lives(Path(folder)), life)()


def a_life(folder: Path, life: str, *, ends: int = 0) -> str:
    """Run a process; what it wrote to stderr."""
    program = f"from tests.integration.test_dbos_jobs import live; live({str(folder)!r}, {life!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, timeout=_ENDS_IN_S, check=False
    )
    assert done.returncode == ends, done.stderr
    return done.stderr


def times(folder: Path) -> Counter[str]:
    """How often each line was noted, without what differs from life to life."""
    return Counter(line.split(" after ")[0] for line in Diary(folder).lines)


def in_jobs_db(folder: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "jobs.db")) as connection, connection:
        return connection.execute(statement).fetchall()


def test_a_job_that_is_submitted_again_runs_once(tmp_path: Path) -> None:
    a_life(tmp_path, "submits_twice")
    assert times(tmp_path) == {"a first": 1, "a second": 1, "a done": 1}


@pytest.mark.parametrize(("life", "done"), [("works", 1), ("submits_twice", 1), ("swallows", 1), ("forgets", 2)])
def test_the_fake_lives_as_it_does(tmp_path: Path, life: str, done: int) -> None:
    getattr(Lives(tmp_path, FakeJobEngine()), life)()
    assert all(count == done for count in times(tmp_path).values())
    assert times(tmp_path)["a done"] == done


def test_a_killed_job_goes_on_without_its_finished_steps(tmp_path: Path) -> None:
    a_life(tmp_path, "dies", ends=9)
    a_life(tmp_path, "dies", ends=9)
    a_life(tmp_path, "goes_on_by_itself")
    assert times(tmp_path) == {"a first": 1, "a second": 3, "a done": 1}
    assert len({line for line in Diary(tmp_path).lines if "second" in line}) == 1, "`first` returned the same thrice"


def test_it_runs_once_whoever_takes_it_up(tmp_path: Path) -> None:
    a_life(tmp_path, "dies", ends=9)
    a_life(tmp_path, "works")
    assert times(tmp_path) == {"a first": 1, "a second": 2, "a done": 1}


@pytest.mark.parametrize("life", ["stops_in_a_step", "stops_in_a_deaf_step"])
def test_stopping_leaves_jobs_that_go_on(tmp_path: Path, life: str) -> None:
    started = time.monotonic()
    said = a_life(tmp_path, life)
    assert time.monotonic() - started < 12
    assert "Traceback" not in said, said
    assert "Exception" not in said, said
    kept = in_jobs_db(tmp_path, "SELECT status, count(*) FROM workflow_status GROUP BY 1 ORDER BY 1")
    assert kept == [("ENQUEUED", 3), ("PENDING", 3)]
    assert in_jobs_db(tmp_path, "SELECT * FROM operation_outputs WHERE error IS NOT NULL") == []
    a_life(tmp_path, "finishes_six")
    assert {f"{job} first" for job in "abcdef"} | {f"{job} done" for job in "abcdef"} <= times(tmp_path).keys()
    assert all(times(tmp_path)[f"{job} {what}"] == 1 for job in "abcdef" for what in ("first", "done"))


def test_a_swallowed_failure_is_an_end(tmp_path: Path) -> None:
    a_life(tmp_path, "swallows")
    a_life(tmp_path, "works")
    assert times(tmp_path) == {"a failed": 1, "a done": 1}


def test_a_job_that_dbos_gave_up_is_taken_up_again(tmp_path: Path) -> None:
    a_life(tmp_path, "raises")
    assert in_jobs_db(tmp_path, "SELECT status FROM workflow_status") == [("ERROR",)]
    a_life(tmp_path, "works")
    assert times(tmp_path) == {"a first": 2, "a raised": 1, "a second": 1, "a done": 1}


def test_a_job_of_another_process_is_taken_up(tmp_path: Path) -> None:
    a_life(tmp_path, "dies", ends=9)
    in_jobs_db(tmp_path, "UPDATE workflow_status SET executor_id = 'another'")
    a_life(tmp_path, "works")
    assert times(tmp_path) == {"a first": 1, "a second": 2, "a done": 1}


def test_jobs_of_an_earlier_version_of_the_flows_are_begun_anew(tmp_path: Path) -> None:
    a_life(tmp_path, "stops_in_a_step")
    in_jobs_db(tmp_path, "UPDATE workflow_status SET application_version = '0'")
    a_life(tmp_path, "finishes_six")
    assert all(times(tmp_path)[f"{job} done"] == 1 for job in "abcdef")
    assert times(tmp_path)["a first"] == 2


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    a_life(tmp_path, "forgets")
    assert times(tmp_path)["a done"] == 2
    for table in ("workflow_status", "operation_outputs"):
        assert in_jobs_db(tmp_path, f"SELECT * FROM {table}") == []


def test_so_many_at_once_and_no_more(tmp_path: Path) -> None:
    a_life(tmp_path, "does_many")
    lines = Diary(tmp_path).lines
    assert sum(line.endswith("done") for line in lines) == 40
    assert lines[-1] == "at once 3"


def test_a_process_that_is_killed_while_it_starts_loses_nothing(tmp_path: Path) -> None:
    a_life(tmp_path, "dies", ends=9)
    program = f"from tests.integration.test_dbos_jobs import live; live({str(tmp_path)!r}, 'goes_on_by_itself')"
    for moment in (0.6, 0.9, 1.2):
        process = subprocess.Popen([sys.executable, "-c", program], cwd=_ROOT, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
    a_life(tmp_path, "works")
    assert times(tmp_path)["a first"] == 1
    assert times(tmp_path)["a done"] == 1
