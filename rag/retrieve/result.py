"""What a question found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from rag.catalog.visibility import Snapshot
from rag.retrieve.cache.packing import pack_hits, unpack_hits
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.planning.plan import Plan
from rag.types import Hit


@dataclass(frozen=True, slots=True)
class RetrievalResult:
    hits: tuple[Hit, ...]
    """Best first, `top_k` at most."""
    options: RetrieveOptions
    """As they applied."""
    plan: Plan
    snapshot: Snapshot
    """The state of the vector store that was searched."""
    timings_ms: Mapping[str, float]
    candidates: tuple[Hit, ...] = ()
    """With `explain`: all that was found; first those that were reranked, or stayed, in their last order."""
    key: str = ""
    """Names all that the hits depend on; empty where that is not known."""


def pack_result(found: RetrievalResult) -> bytes:
    """For a cache; without candidates."""
    more = {"options": asdict(found.options), "plan": asdict(found.plan), "snapshot": asdict(found.snapshot)}
    return pack_hits(found.hits, more)


def unpack_result(data: bytes) -> RetrievalResult:
    """Raises ValueError for what another release packed."""
    hits, more = unpack_hits(data)
    try:
        plan = {**more["plan"], "queries": tuple(more["plan"]["queries"])}
        plan["hypothetical"] = tuple(plan["hypothetical"])
        return RetrievalResult(hits, RetrieveOptions(**more["options"]), Plan(**plan), Snapshot(**more["snapshot"]), {})
    except (KeyError, TypeError) as error:
        raise ValueError("what was found is of another release") from error
