"""Renames fields in errors of the inner services, whose fields have other names than the request's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from rag.errors import RagError


def renamed(error: RagError, names: Mapping[str, str]) -> RagError:
    """The error with the request's name for the field; unchanged if it names no field in `names`.

    Args:
        names: Field names of the inner services -> of the request.
    """
    first, _, rest = (error.param or "").partition(".")
    if (name := names.get(first)) is None:
        return error
    param = f"{name}.{rest}" if rest else name
    message = error.message.removeprefix(f"{error.param}: ")
    return type(error)(message if message == error.message else f"{param}: {message}", param=param)


@contextlib.contextmanager
def fields_named(names: Mapping[str, str]) -> Iterator[None]:
    """Applies `renamed` to errors that are raised inside."""
    try:
        yield
    except RagError as error:
        raise renamed(error, names) from error
