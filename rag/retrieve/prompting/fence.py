"""The fence: tags around the passages that mark them as data, not as instructions."""

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
    """A fence with a name derived from the texts, so that equal prompts stay equal and the name cannot be guessed.

    `rag.llm.special_tokens` makes sure that no text contains a fence of any name.
    """
    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).digest()
    name = "".join(chr(ord("a") + byte % 26) for byte in digest[:_LETTERS])
    return Fence(f"<passages {name}>", f"</passages {name}>")
