"""Refuses JSON objects with very many members, which would take seconds to validate one by one."""

from __future__ import annotations

from rag.errors import InvalidRequest

MAX_MEMBERS = 10_000
_SMALL_BODY_BYTES = 40_000
"""A body that is not larger has fewer members."""


def check_members(body: bytes, value: object) -> None:
    """Check all objects of a body.

    Args:
        value: What the body was parsed to.

    Raises:
        InvalidRequest: names the object that has too many members.
    """
    if len(body) <= _SMALL_BODY_BYTES:
        return
    pending: list[object] = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict) and len(part) > MAX_MEMBERS:
            name = _path_to(part, value)[:200]
            raise InvalidRequest(f"{name or 'the body'}: has more than {MAX_MEMBERS} members", param=name or None)
        items = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        pending += [item for item in items if isinstance(item, dict | list)]


def _path_to(wanted: object, value: object) -> str:
    pending: list[tuple[tuple[str, ...], object]] = [((), value)]
    while pending:
        path, part = pending.pop()
        if part is wanted:
            return ".".join(path)
        items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        pending += [((*path, str(key)), item) for key, item in items]
    return ""
