"""Times in responses: whole Unix seconds."""

from __future__ import annotations


def seconds(time: float | None) -> int | None:
    return None if time is None else int(time)
