"""The marks between which passages stand, as data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

_LETTERS = 6


@dataclass(frozen=True, slots=True)
class Fence:
    open: str
    close: str


def fence_around(texts: Iterable[str]) -> Fence:
    """Named after the texts: the same for the same ones, so that equal prompts stay equal, and another for others.

    `rag.llm.special_tokens` sees to it that no text holds a fence, whatever its name.
    """
    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).digest()
    name = "".join(chr(ord("a") + byte % 26) for byte in digest[:_LETTERS])
    return Fence(f"<passages {name}>", f"</passages {name}>")
