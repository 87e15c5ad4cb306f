"""Refuses JSON with half of a surrogate pair, such as `"\\ud800"`: neither tokenizers nor databases take such text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.errors import InvalidRequest

_SUSPECT = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\x00")
"""An escaped or encoded surrogate, or a NUL, as in JSON in UTF-16. Other bodies hold none."""
_REASON = "contains half of a surrogate pair, which is not valid Unicode"


def check_unicode(body: bytes, value: object) -> None:
    """Check all strings and keys of a body.

    Args:
        value: What the body was parsed to.

    Raises:
        InvalidRequest: names the field that holds the invalid text.
    """
    if _SUSPECT.search(body) is None:
        return
    for path, text in _texts(value):
        if not _is_unicode(text):
            name = ".".join(path)[:200]
            raise InvalidRequest(f"{name}: {_REASON}" if name else f"a field's name {_REASON}", param=name or None)


def _texts(value: object) -> Iterator[tuple[list[str], str]]:
    """Each string of a JSON value with its path; a key has the path of its object."""
    pending: list[tuple[list[str], object]] = [([], value)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, list):
            pending += [([*path, str(index)], item) for index, item in enumerate(value) if not isinstance(item, int)]
        elif isinstance(value, dict):
            for key, item in value.items():
                yield path, key
                pending.append(([*path, key], item))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
