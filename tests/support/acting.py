"""Code that runs for a caller, as in a request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rag.auth.caller import Caller, current_caller


@contextmanager
def acting(caller: Caller) -> Iterator[None]:
    token = current_caller.set(caller)
    try:
        yield
    finally:
        current_caller.reset(token)
