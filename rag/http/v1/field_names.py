"""Errors of the services behind, which know a request's fields by other names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from rag.errors import RagError


def renamed(error: RagError, names: Mapping[str, str]) -> RagError:
    """The error with the field as the request has it; the same one where it names no such field.

    Args:
        names: Fields of the services behind -> of the request.
    """
    first, _, rest = (error.param or "").partition(".")
    if (name := names.get(first)) is None:
        return error
    param = f"{name}.{rest}" if rest else name
    message = error.message.removeprefix(f"{error.param}: ")
    return type(error)(message if message == error.message else f"{param}: {message}", param=param)


@contextlib.contextmanager
def fields_named(names: Mapping[str, str]) -> Iterator[None]:
    """What is raised inside is `renamed`."""
    try:
        yield
    except RagError as error:
        raise renamed(error, names) from error
