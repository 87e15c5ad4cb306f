"""Loaded by vLLM in its worker processes: ends the engine when the service that owns it is gone.

Without it an engine whose service was killed lives on for minutes, with its memory and its GPU.
Standard library alone: this is imported before anything else of ours in that process.
"""

from __future__ import annotations

import os
import select
import signal
import threading

OWNER_PID_VARIABLE = "ENGINE_OWNER_PID"


class ParentWatchdog:
    """A vLLM worker extension without methods; importing it is enough."""


def _kill_when_gone(owner: int) -> None:
    watched = os.pidfd_open(owner)
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    poll.poll()
    if (parent := os.getppid()) not in (1, owner):
        os.kill(parent, signal.SIGKILL)  # the engine core, when this worker is a process of its own
    os.kill(os.getpid(), signal.SIGKILL)


def _start_watching() -> None:
    owner = os.environ.get(OWNER_PID_VARIABLE, "")
    if owner.isdigit() and int(owner) != os.getpid() and hasattr(os, "pidfd_open"):
        threading.Thread(target=_kill_when_gone, args=(int(owner),), daemon=True, name="engine-parent-watchdog").start()


_start_watching()
