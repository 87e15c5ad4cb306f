"""Cache keys: hashes of a question and everything that its result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from rag import __version__
from rag.types import Hit, Message


def cache_key(kind: str, parts: Mapping[str, object]) -> str:
    """SHA-256, in hex, of the parts as JSON: equal for equal parts only.

    The release is part of the key, so that two releases can share a cache without reading each other's values.

    Args:
        kind: What is stored under the key; keys of different kinds differ.
        parts: JSON-like. Tuples equal lists, the order of a mapping's keys is ignored, and numbers as keys
            equal their text.
    """
    text = json.dumps([__version__, kind, parts], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def answer_key(
    retrieval: str, sources: Sequence[Hit], history: Sequence[Message], prompt_version: str, system: str = ""
) -> str:
    """The key of an answer that questions with the same meaning share.

    Their prompts differ in the wording of the question. Everything else must be equal and is part of the key.

    Args:
        retrieval: The key of the retrieval result; questions with the same meaning share it.
        sources: The hits in the prompt, in its order; citations refer to their numbers.
        history: The conversation before the question.
        prompt_version: Version of the prompt templates.
        system: The client's instructions.
    """
    parts = {
        "retrieval": retrieval,
        "sources": [[hit.chunk.chunk_id, hit.chunk.start, hit.chunk.end] for hit in sources],
        "history": [[message.role, message.content] for message in history],
        "prompt": prompt_version,
        "system": system,
    }
    return cache_key("prompt", parts)
