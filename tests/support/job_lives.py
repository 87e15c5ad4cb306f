"""What a process that runs a job engine does from its start to its end, for tests/integration/test_dbos_jobs.py.

DBOS is a global of its process, so each life is a process of its own: dozens of them start, and import no more than
they need.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rag.adapters.dbos_jobs import DbosJobs
from rag.ingest.job import JobInterrupted
from rag.ports import JobEngine, Steps

_LIMIT_S = 120.0
"""For what must come: generous, so that a busy machine is no failure."""
AT_ONCE = 3
"""Jobs that the engine of a life runs at the same time."""


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
        self.wait_until(lambda lines: lines.count(line) >= times)

    def wait_until(self, holds: Callable[[list[str]], bool]) -> None:
        deadline = time.monotonic() + _LIMIT_S
        while not holds(self.lines):
            assert time.monotonic() < deadline, f"what was waited for never came: {self.lines}"
            time.sleep(0.02)


class Lives:
    """What a process does from its start to its end."""

    def __init__(self, folder: Path, engine: JobEngine | None = None) -> None:
        self.diary = Diary(folder)
        self.engine = engine or DbosJobs(f"sqlite:///{folder / 'jobs.db'}", at_once=AT_ONCE)
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
        time.sleep(_LIMIT_S)

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

        def deaf() -> None:
            self.stopping.wait()
            time.sleep(1.5)

        self._stops_while(deaf)

    def _stops_while(self, in_the_middle: Callable[[], None]) -> None:
        self.engine.start({"flow": self.flow(in_the_middle)})
        for job_id in "abcdef":
            self.engine.submit("flow", job_id)
        self.diary.wait_until(lambda lines: sum(" second " in line for line in lines) == AT_ONCE)
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
