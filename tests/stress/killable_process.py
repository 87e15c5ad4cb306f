"""A child process of `tests.stress.crash`, and the killing of it."""

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
_STOPS_IN_S = 30.0


class Killed(Exception):
    """The child was killed before it answered: what was asked of it may have happened, or not."""


class Refused(Exception):
    """The child answered with an error."""


class KillableProcess:
    """Raises RuntimeError when the child does not come up."""

    def __init__(self, folder: Path, life: int) -> None:
        self.life = life
        scratch = folder / "tmp"  # the killed leave their temporary folders there
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
        """Wait until it works. Raises Killed."""
        self._answer()

    def ask(self, order: str, *arguments: Any) -> Any:
        """Raises Killed and Refused."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([order, arguments]) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise Killed from None
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            if self._timer is None:
                raise RuntimeError("the child ended by itself: see child.log in the data folder")
            raise Killed
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(f"{answer['refused']}: {answer['message']}")
        return answer["ok"]

    def kill_in(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._process.kill)
        self._timer.start()

    def buried(self) -> None:
        """Wait until the kill has happened and the process is gone."""
        if self._timer is not None:
            self._timer.join()
        self._close()

    def stop(self) -> float:
        """Have it end in order; the seconds it took."""
        assert self._process.stdin is not None
        started = time.monotonic()
        self._process.stdin.write('["stop", []]\n')
        self._process.stdin.flush()
        try:
            self._process.wait(_STOPS_IN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise RuntimeError(f"the child had not stopped after {_STOPS_IN_S:g} s") from None
        finally:
            self._close()
        return time.monotonic() - started

    def end(self) -> None:
        """At once, if it still runs."""
        if self._timer is not None:
            self._timer.cancel()
        self._process.kill()
        self._close()

    def _close(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was buffered for a dead child
                    pipe.close()
