"""Whether a search found anything near enough to answer from."""

from __future__ import annotations

from collections.abc import Sequence

from rag.retrieve.planning.follow_up import is_near
from rag.types import Hit


def nothing_relevant(hits: Sequence[Hit], min_cosine: float) -> bool:
    """Whether no hit is near enough to the question to answer from.

    Fused scores compare hits of one query; only the cosine says how near the best of them really is.
    """
    cosines = [hit.cosine for hit in hits if hit.cosine is not None]
    is_far = bool(cosines) and max(cosines) < min_cosine
    return not hits or (is_far and not any(is_near(hit, min_cosine) for hit in hits))
