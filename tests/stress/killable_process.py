"""A child process of `tests.stress.crash` that can be killed at a given time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_STOP_TIMEOUT_S = 30.0


class ProcessKilled(Exception):
    """The child was killed before it answered: the requested change may or may not have happened."""


class RequestRefused(Exception):
    """The child answered with an error."""


class KillableProcess:
    """A child process that answers requests.

    Args:
        life: Number of the process on this folder, from 1.

    Raises:
        RuntimeError: the child does not start.
    """

    def __init__(self, folder: Path, life: int) -> None:
        self.life = life
        scratch = folder / "tmp"  # killed processes leave their temporary folders here
        scratch.mkdir(exist_ok=True)
        with (folder / "child.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.stress.crash_child", str(folder), str(life)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=_ROOT,
                env={**os.environ, "TMPDIR": str(scratch)},
                text=True,
            )
        self._timer: threading.Timer | None = None
        self.pid = self._process.pid

    def ready(self) -> None:
        """Wait until it has started. Raises ProcessKilled."""
        self._answer()

    def ask(self, order: str, *arguments: Any) -> Any:
        """Send a request and wait for the answer. Raises ProcessKilled and RequestRefused."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([order, arguments]) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise ProcessKilled from None
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            if self._timer is None:
                raise RuntimeError("the child exited unexpectedly: see child.log in the data folder")
            raise ProcessKilled
        answer = json.loads(line)
        if "refused" in answer:
            raise RequestRefused(f"{answer['refused']}: {answer['message']}")
        return answer["ok"]

    def kill_in(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._process.kill)
        self._timer.start()

    def wait_until_killed(self) -> None:
        """Wait until the process has been killed."""
        if self._timer is not None:
            self._timer.join()
        self._close()

    def stop(self) -> float:
        """Stop it gracefully. Returns the seconds it took."""
        assert self._process.stdin is not None
        started = time.monotonic()
        self._process.stdin.write('["stop", []]\n')
        self._process.stdin.flush()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise RuntimeError(f"the child had not stopped after {_STOP_TIMEOUT_S:g} s") from None
        finally:
            self._close()
        return time.monotonic() - started

    def end(self) -> None:
        """Kill it now, if it is still running."""
        if self._timer is not None:
            self._timer.cancel()
        self._process.kill()
        self._close()

    def _close(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # data that the dead child has not read
                    pipe.close()
