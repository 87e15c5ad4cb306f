"""What stands for a question, and all that its answer depends on, in a cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rag import __version__
from rag.types import Hit, Message


def cache_key(kind: str, parts: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the parts as JSON: the same for the same parts, and another when anything differs.

    Each release has keys of its own: in a cache that two of them share, none finds what the other thought right.

    Args:
        kind: What is kept under it; keys of two kinds never meet.
        parts: JSON-like; tuples are lists. The order of a mapping's keys does not count, nor whether they are
            numbers or text.
    """
    text = json.dumps([__version__, kind, parts], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def answer_key(
    retrieval: str, sources: Sequence[Hit], history: Sequence[Message], prompt_version: str, system: str = ""
) -> str:
    """For an answer that also serves questions that mean the same.

    Their prompts differ in the question's words. What must not differ is here.

    Args:
        retrieval: The key of what was found: for a question that means the same as an earlier one, the earlier one's.
        sources: Those in the prompt, in its order; the marks in the answer are their numbers.
        history: The conversation before the question.
        prompt_version: Of the prompt's wording.
        system: The client's own instructions.
    """
    parts = {
        "retrieval": retrieval,
        "sources": [hit.chunk.chunk_id for hit in sources],
        "history": [[message.role, message.content] for message in history],
        "prompt": prompt_version,
        "system": system,
    }
    return cache_key("prompt", parts)
