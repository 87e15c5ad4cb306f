"""The process of vLLM's engine core."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from rag.adapters.vllm.parent_watchdog import OWNER_PID_VARIABLE
from rag.deferred_sklearn import defer_sklearn

if os.environ.get(OWNER_PID_VARIABLE) == str(os.getppid()):
    defer_sklearn()  # the engine core's process has imported this module to find `run_engine_core`; next is vLLM


def run_engine_core(*args: Any, **options: Any) -> None:
    """The entry point of the process: runs vLLM's own."""
    from vllm.v1.engine.core import EngineCoreProc

    EngineCoreProc.run_engine_core(*args, **options)


@contextlib.contextmanager
def started_here() -> Iterator[None]:
    """A context: processes of engine cores that are started inside enter at `run_engine_core`
    (docs/bentoml_issues.md#o9).
    """
    from vllm.v1.engine.core import EngineCoreProc

    original = EngineCoreProc.run_engine_core
    EngineCoreProc.run_engine_core = staticmethod(run_engine_core)
    try:
        yield
    finally:
        EngineCoreProc.run_engine_core = staticmethod(original)
