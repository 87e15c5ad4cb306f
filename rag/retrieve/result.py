"""The result of a retrieval, and its form in a cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from rag.catalog.documents.visibility import Snapshot
from rag.retrieve.cache.packing import pack_hits, unpack_hits
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.planning.plan import Plan
from rag.types import Hit


@dataclass(frozen=True, slots=True)
class RetrievalResult:
    hits: tuple[Hit, ...]
    """Best first, `top_k` at most."""
    options: RetrieveOptions
    """As applied: the service's, the vector store's and the request's together."""
    plan: Plan
    snapshot: Snapshot
    """The state of the vector store that was searched."""
    timings_ms: Mapping[str, float]
    candidates: tuple[Hit, ...] = ()
    """With `explain`, every hit: the deduplicated ones in their final order, then the others in the order of fusion."""
    key: str = ""
    """Identifies the hits and all that they depend on; empty for a result that is not cached."""

    @property
    def is_cacheable(self) -> bool:
        """Whether the whole plan was carried out. An incomplete plan should be tried again next time."""
        return not self.plan.note


def explained_candidates(hits: Sequence[Hit], fused: Sequence[Hit]) -> tuple[Hit, ...]:
    """The final hits, then the rest of the fused ones."""
    final = {hit.chunk.chunk_id for hit in hits}
    return (*hits, *(hit for hit in fused if hit.chunk.chunk_id not in final))


def pack_result(result: RetrievalResult) -> bytes:
    """The result without its candidates, timings and key."""
    rest = {"options": asdict(result.options), "plan": asdict(result.plan), "snapshot": asdict(result.snapshot)}
    return pack_hits(result.hits, rest)


def unpack_result(data: bytes) -> RetrievalResult:
    """Raises ValueError if another release packed the data."""
    hits, rest = unpack_hits(data)
    try:
        plan = {**rest["plan"], "queries": tuple(rest["plan"]["queries"])}
        plan["hypothetical"] = tuple(plan["hypothetical"])
        snapshot = Snapshot(**rest["snapshot"])
        if snapshot.groups is not None:
            snapshot = replace(snapshot, groups=tuple(snapshot.groups))
        return RetrievalResult(hits, RetrieveOptions(**rest["options"]), Plan(**plan), snapshot, {})
    except (KeyError, TypeError) as error:
        raise ValueError("the cached result was written by another release") from error
