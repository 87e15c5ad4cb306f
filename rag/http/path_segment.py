"""Ids and names as segments of a URL's path."""

from __future__ import annotations

from urllib.parse import quote

_ENCODED_DOTS = {".": "%2E", "..": "%2E%2E"}
"""Unescaped, httpx would normalize these path segments away."""


def path_segment(value: str) -> str:
    """The value, percent-encoded; it may contain any character."""
    return _ENCODED_DOTS.get(value) or quote(value, safe="")
