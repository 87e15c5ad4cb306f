"""A worker extension that kills the engine when the service that owns it is gone (docs/bentoml_issues.md#v8).

It uses the standard library only, since it is imported before any other module of this project in that process.
"""

from __future__ import annotations

import os
import select
import signal
import threading

OWNER_PID_VARIABLE = "ENGINE_OWNER_PID"


class ParentWatchdog:
    """vLLM imports this module, which starts the watchdog. Its methods can be called in the process that computes."""

    def refuse_connections(self) -> None:
        from rag.adapters.vllm.private_ports import refuse_connections

        refuse_connections()


def _kill_when_gone(owner: int) -> None:
    watched = os.pidfd_open(owner)
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    poll.poll()
    if (parent := os.getppid()) not in (1, owner):
        os.kill(parent, signal.SIGKILL)  # the engine core, if this worker is a process of its own
    os.kill(os.getpid(), signal.SIGKILL)


def _start_watching() -> None:
    owner = os.environ.get(OWNER_PID_VARIABLE, "")
    if owner.isdigit() and int(owner) != os.getpid() and hasattr(os, "pidfd_open"):
        threading.Thread(target=_kill_when_gone, args=(int(owner),), daemon=True, name="engine-parent-watchdog").start()


_start_watching()
