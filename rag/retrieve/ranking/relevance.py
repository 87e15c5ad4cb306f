"""Decides whether any hit is relevant enough to answer from."""

from __future__ import annotations

from collections.abc import Sequence

from rag.retrieve.planning.follow_up import answers_in_conversation
from rag.types import Hit


def nothing_relevant(hits: Sequence[Hit], min_cosine: float) -> bool:
    """Whether no hit contains what the question names or is similar enough to it, alone or in its conversation.

    Fused scores are relative to the other hits of the query. Only the cosine says how similar the best hit really is.
    Hits without a cosine, which only other paths found, count as relevant if no hit has one.
    """
    if any(hit.is_exact or answers_in_conversation(hit, min_cosine) for hit in hits):
        return False
    cosines = [hit.cosine for hit in hits if hit.cosine is not None]
    return not hits or (bool(cosines) and max(cosines) < min_cosine)
