"""Samples to which addresses the processes of a service have connections: also those that no Python code opens."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import psutil

from tests.e2e.running import RunningService

_EVERY_S = 0.02


@contextlib.contextmanager
def remote_addresses(service: RunningService) -> Iterator[set[str]]:
    """The addresses seen while the block runs, of TCP and UDP."""
    seen: set[str] = set()
    ended = threading.Event()

    def sample() -> None:
        while True:
            for process in service.processes():
                with contextlib.suppress(psutil.Error):
                    seen.update(each.raddr.ip for each in process.net_connections("inet") if each.raddr)
            if ended.wait(_EVERY_S):
                return

    sampling = threading.Thread(target=sample)
    sampling.start()
    try:
        yield seen
    finally:
        ended.set()
        sampling.join()
