"""A service that the processes of xdist share, so that vLLM computes the texts of several tests in one batch."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from filelock import FileLock

from tests.e2e.running import RunningService


class SharedService:
    """Starts a service for the first process that needs it; that process ends it when no other one uses it.

    Args:
        folder: The same folder for all processes of a test run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._address = folder / "service.json"
        self.lock = FileLock(folder / "service.lock")
        """Held while something is done that only one process shall do."""

    @contextlib.contextmanager
    def used(self, start: Callable[[], RunningService]) -> Iterator[RunningService]:
        """The service, which need not be ready yet."""
        with (self.folder / "service.users").open("wb") as users:
            with self.lock:
                started = None if self._address.exists() else start()
                if started is not None:
                    self._address.write_text(json.dumps([started.process.pid, started.url, str(started.log)]))
                fcntl.flock(users, fcntl.LOCK_SH)
            try:
                yield started or self._running()
            finally:
                fcntl.flock(users, fcntl.LOCK_UN)
                if started is not None:
                    with self.lock:
                        self._address.unlink()
                    fcntl.flock(users, fcntl.LOCK_EX)  # waits for the other processes
                    started.end()

    @contextlib.contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """A test's turn. One that must be alone waits until the tests of other processes have ended."""
        with (self.folder / "service.turns").open("wb") as turns:
            with FileLock(self.folder / "service.gate"):  # while a test waits to be alone, no other one begins
                fcntl.flock(turns, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield

    @contextlib.contextmanager
    def once(self, what: str) -> Iterator[bool]:
        """Whether this process is the first that does it; the others wait until it is done."""
        done = self.folder / f"{what}.done"
        with self.lock:
            yield not done.exists()
            done.touch()

    def _running(self) -> RunningService:
        pid, url, log = json.loads(self._address.read_text())
        return RunningService(psutil.Process(pid), url, Path(log))
