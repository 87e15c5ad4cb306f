"""A process that has loaded the parsing libraries and forks a child for each file: 10 ms a file instead of 500.

It never opens a file itself, has a single thread, and exits when its standard input closes or its parent dies.
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

from rag.readers import READER_MODULES
from rag.readers.process import child
from rag.readers.process.parse_request import ParseOutcome, ParseReply, ParseRequest

_PARENT_CHECK_S = 2.0
"""How often to check for the parent: standard input stays open if another process has inherited the pipe."""
_OUTCOMES: Final[dict[int, ParseOutcome]] = {
    child.EXIT_TEXT: "text",
    child.EXIT_REFUSED: "refused",
    child.EXIT_OUT_OF_MEMORY: "out_of_memory",
}


@dataclass(slots=True)
class _RunningChild:
    """A child, and the request that it processes."""

    number: int
    pid: int
    deadline: float
    is_timed_out: bool = False


def main() -> None:
    """Serve requests until standard input closes."""
    parent = os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the service stops it: it may still need files read while it drains
    replies = os.dup(1)
    os.dup2(2, 1)  # output of libraries must not mix with the replies
    for module in {*READER_MODULES.values()}:
        importlib.import_module(f"rag.readers.{module}")
    importlib.import_module("charset_normalizer")
    gc.collect()
    gc.freeze()  # garbage collections in the children then do not copy shared pages
    ForkServer(0, replies, parent).serve()


class ForkServer:
    """Reads requests from one pipe, forks a child for each, and writes a reply to another pipe when it has ended."""

    def __init__(self, requests: int, replies: int, parent: int) -> None:
        self._requests = requests
        self._replies = replies
        self._parent = parent
        self._children: dict[int, _RunningChild] = {}
        """By the reading end of a pipe that closes when the child exits."""
        self._unread = b""

    def serve(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            while self._step():
                pass
        for running in self._children.values():
            _kill(running.pid)
            os.waitpid(running.pid, 0)  # in a container without an init process nobody else reaps them

    def _step(self) -> bool:
        now = time.monotonic()
        wait_s = min(
            [
                _PARENT_CHECK_S,
                *(running.deadline - now for running in self._children.values() if not running.is_timed_out),
            ]
        )
        ready, _, _ = select.select([self._requests, *self._children], [], [], max(wait_s, 0.0))
        for pipe in ready:
            if pipe != self._requests:
                self._finish(pipe)
        self._kill_timed_out()
        is_open = self._take_requests() if self._requests in ready else True
        return is_open and os.getppid() == self._parent

    def _take_requests(self) -> bool:
        content = os.read(self._requests, 65_536)
        *lines, self._unread = (self._unread + content).split(b"\n")
        for line in lines:
            self._start(ParseRequest.parse(line))
        return bool(content)

    def _start(self, request: ParseRequest) -> None:
        exit_pipe, child_end = os.pipe()
        server_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(self._replies)
            child.run(request, server_pid)
        os.close(child_end)
        self._children[exit_pipe] = _RunningChild(request.number, pid, time.monotonic() + request.timeout_s)

    def _kill_timed_out(self) -> None:
        now = time.monotonic()
        for running in self._children.values():
            if now >= running.deadline and not running.is_timed_out:
                running.is_timed_out = True
                _kill(running.pid)

    def _finish(self, pipe: int) -> None:
        running = self._children.pop(pipe)
        os.close(pipe)
        _kill(running.pid)  # ends programs that it started; the child itself is exiting
        _, status = os.waitpid(running.pid, 0)
        os.write(self._replies, _reply(running, status).line())


def _reply(running: _RunningChild, status: int) -> ParseReply:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        is_timeout = running.is_timed_out or number == signal.SIGXCPU
        return ParseReply(running.number, "timeout" if is_timeout else "crashed", number)
    return ParseReply(running.number, _OUTCOMES.get(os.WEXITSTATUS(status), "crashed"))


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
