"""Code that runs for a caller, as in a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rag.auth.caller import Caller, current_caller
from rag.errors import NotFound


@contextmanager
def acting(caller: Caller) -> Iterator[None]:
    token = current_caller.set(caller)
    try:
        yield
    finally:
        current_caller.reset(token)


def finds(caller: Caller, operations: Iterable[Callable[[], object]]) -> bool:
    """Whether the caller finds what the operations are about. Either all of them find it, or none."""
    with acting(caller):
        found = {_finds(operation) for operation in operations}
    assert len(found) == 1
    return found.pop()


def _finds(operation: Callable[[], object]) -> bool:
    try:
        operation()
    except NotFound:
        return False
    return True
