"""Loaded by vLLM in its worker processes: ends the engine when the service that owns it is gone.

Without it an engine whose service was killed lives on for minutes, with its memory and its GPU.
Standard library alone: this is imported before anything else of ours in that process.
"""

from __future__ import annotations

import os
import select
import signal
import threading

OWNER = "ENGINE_LEASH_OWNER_PID"


class ParentWatchdog:
    """A vLLM worker extension without methods; importing it is enough."""


def _end_with(owner: int) -> None:
    watched = os.pidfd_open(owner)
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    poll.poll()
    if (parent := os.getppid()) not in (1, owner):
        os.kill(parent, signal.SIGKILL)  # the engine core, when this worker is a process of its own
    os.kill(os.getpid(), signal.SIGKILL)


def _fasten() -> None:
    owner = os.environ.get(OWNER, "")
    if owner.isdigit() and int(owner) != os.getpid() and hasattr(os, "pidfd_open"):
        threading.Thread(target=_end_with, args=(int(owner),), daemon=True, name="engine-leash").start()


_fasten()
