"""A small process that has the parsing libraries loaded, and forks a child for each file: 10 ms instead of 500.

It never opens a file itself, has one thread, and ends when its standard input does, or its parent.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import time
from dataclasses import dataclass
from typing import Final

from rag.readers import READER_MODULES, child
from rag.readers.parse_request import ParseOutcome, ParseReply, ParseRequest

_LOOK_UP_S = 2.0
"""How often it looks whether its parent is there: a pipe that some other process holds open has no end."""
_OUTCOMES: Final[dict[int, ParseOutcome]] = {
    child.TEXT: "text",
    child.REFUSED: "refused",
    child.OUT_OF_MEMORY: "out_of_memory",
}


@dataclass(slots=True)
class _Job:
    number: int
    pid: int
    deadline: float
    is_overdue: bool = False


def main() -> None:
    """Serve until the end of standard input."""
    parent = os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the service decides: it may still be reading files while it drains
    replies = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not get between the replies
    for module in {*READER_MODULES.values()}:
        importlib.import_module(f"rag.readers.{module}")
    importlib.import_module("charset_normalizer")
    gc.collect()
    gc.freeze()  # children's collections leave the shared pages alone
    Helper(0, replies, parent).serve()


class Helper:
    def __init__(self, requests: int, replies: int, parent: int) -> None:
        self._requests = requests
        self._replies = replies
        self._parent = parent
        self._jobs: dict[int, _Job] = {}
        """By the pipe that ends with the child."""
        self._unread = b""

    def serve(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            while self._step():
                pass
        for job in self._jobs.values():
            _kill(job.pid)
            os.waitpid(job.pid, 0)  # not every container has somebody who does that for orphans

    def _step(self) -> bool:
        now = time.monotonic()
        wait_s = min([_LOOK_UP_S, *(job.deadline - now for job in self._jobs.values() if not job.is_overdue)])
        ready, _, _ = select.select([self._requests, *self._jobs], [], [], max(wait_s, 0.0))
        for pipe in ready:
            if pipe != self._requests:
                self._finish(pipe)
        self._end_overdue()
        is_wanted = self._take_requests() if self._requests in ready else True
        return is_wanted and os.getppid() == self._parent

    def _take_requests(self) -> bool:
        content = os.read(self._requests, 65_536)
        *lines, self._unread = (self._unread + content).split(b"\n")
        for line in lines:
            self._start(ParseRequest.parse(line))
        return bool(content)

    def _start(self, request: ParseRequest) -> None:
        life, child_life = os.pipe()
        helper = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(self._replies)
            child.run(request, helper)
        os.close(child_life)
        self._jobs[life] = _Job(request.number, pid, time.monotonic() + request.timeout_s)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for job in self._jobs.values():
            if now >= job.deadline and not job.is_overdue:
                job.is_overdue = True
                _kill(job.pid)

    def _finish(self, pipe: int) -> None:
        job = self._jobs.pop(pipe)
        os.close(pipe)
        _kill(job.pid)  # programs that it started; itself has ended, or is about to
        _, status = os.waitpid(job.pid, 0)
        os.write(self._replies, _reply(job, status).line())


def _reply(job: _Job, status: int) -> ParseReply:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        is_late = job.is_overdue or number == signal.SIGXCPU
        return ParseReply(job.number, "timeout" if is_late else "crashed", number)
    return ParseReply(job.number, _OUTCOMES.get(os.WEXITSTATUS(status), "crashed"))


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
