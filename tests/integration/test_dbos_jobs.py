"""What `rag.ports.JobEngine` promises, kept by DBOS on SQLite through the deaths of its process.

Each life is a process of its own, which runs one of the functions of `tests.support.job_lives.Lives`.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeJobEngine
from tests.support.job_lives import Diary, Lives

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).resolve().parents[2]
_ENDS_IN_S = 200.0


def a_life(folder: Path, life: str, *, ends: int = 0) -> str:
    """Run a process; what it wrote to stderr."""
    program = f"from tests.support.job_lives import live; live({str(folder)!r}, {life!r})"
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
    assert time.monotonic() - started < 60
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
    program = f"from tests.support.job_lives import live; live({str(tmp_path)!r}, 'goes_on_by_itself')"
    for moment in (0.6, 0.9, 1.2):
        process = subprocess.Popen([sys.executable, "-c", program], cwd=_ROOT, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
    a_life(tmp_path, "works")
    assert times(tmp_path)["a first"] == 1
    assert times(tmp_path)["a done"] == 1
