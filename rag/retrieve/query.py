"""The state of one question during a search: its wordings, their vectors and the matches of each search path."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rag.catalog.documents.visibility import Snapshot
from rag.errors import InvalidRequest
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.planning.follow_up import CONVERSATION_LABEL
from rag.retrieve.planning.plan import Plan
from rag.retrieve.ranking.fusion import ORIGINAL_LABEL
from rag.types import Match, SparseVector

Filters = Mapping[str, object]
"""OpenAI's filter object."""
QueryVector = npt.NDArray[np.float32]
"""Shape (dimensions,), of length 1."""

STORE_PATHS = ("dense", "keyword", "sparse")
"""Search paths of the vector store; all others are custom retrievers."""
_WEIGHTS = "retrieval.weights"


@dataclass(slots=True)
class QueryInput:
    """One wording of a question. The vectors are filled in by the encoders."""

    text: str
    label: str = ORIGINAL_LABEL
    dense_only: bool = False
    """Set for hypothetical answers, whose meaning helps the search and whose exact words do not."""
    vector: QueryVector | None = None
    sparse: SparseVector | None = None

    def is_searched_on(self, path: str) -> bool:
        """Whether this wording is searched for on the path."""
        return path == "dense" or not self.dense_only


@dataclass(slots=True)
class Query:
    """A question in all its wordings against one snapshot. Encoding and searching fill in `matches` or `error`."""

    snapshot: Snapshot
    inputs: tuple[QueryInput, ...]
    paths: tuple[str, ...]
    options: RetrieveOptions
    filters: Filters | None = None
    filters_json: str = field(init=False)
    """`filters` with sorted keys: equal for equal filters."""
    matches: dict[tuple[str, str], list[Match]] = field(init=False)
    """By path and label of the wording, best first. Always in the order of `searches`, so that fusion does not depend
    on which search finishes first."""
    error: Exception | None = None
    """What made encoding or searching fail for this query."""

    def __post_init__(self) -> None:
        self.filters_json = json.dumps(self.filters, sort_keys=True)
        self.matches = {(path, query_input.label): [] for path, query_input in self.searches()}

    @property
    def limit(self) -> int:
        """Matches requested from each path."""
        return max(self.options.candidates, self.options.top_k)

    @property
    def min_visible(self) -> int:
        """Visible matches below which a search is repeated without the hidden versions."""
        return min(self.limit, max(self.options.top_k, self.limit // 2))

    @property
    def needs_dense(self) -> bool:
        """Whether a path needs dense vectors; custom retrievers do."""
        return any(path not in ("keyword", "sparse") for path in self.paths)

    @property
    def needs_sparse(self) -> bool:
        return "sparse" in self.paths

    def searches(self) -> Iterator[tuple[str, QueryInput]]:
        """Every path with every wording that takes it."""
        return ((path, each) for path in self.paths for each in self.inputs if each.is_searched_on(path))

    def fail(self, error: Exception) -> None:
        """Record the first error; further ones are dropped."""
        self.error = self.error or error


def query_inputs(plan: Plan, question: str, question_vector: QueryVector | None) -> tuple[QueryInput, ...]:
    """The wordings of a plan.

    Args:
        question_vector: The vector of `question`, if it has been computed; used unless the question was rewritten.
    """
    first, *others = plan.queries
    return (
        QueryInput(first, vector=question_vector if first == question else None),
        *([] if plan.in_conversation is None else [QueryInput(plan.in_conversation, CONVERSATION_LABEL)]),
        *(QueryInput(text, f"query {n}") for n, text in enumerate(others, start=2)),
        *(QueryInput(text, f"hypothetical {n}", dense_only=True) for n, text in enumerate(plan.hypothetical, start=1)),
    )


def search_paths(options: RetrieveOptions, snapshot: Snapshot, custom: Collection[str]) -> tuple[str, ...]:
    """Names of the paths that the options select.

    Args:
        custom: Names of the custom retrievers.

    Raises:
        InvalidRequest: the options name an unknown path, the store has no sparse vectors, or every weight is 0.
    """
    available = ("dense", "keyword", *(["sparse"] if snapshot.sparse_embedder else []), *custom)
    for name in options.weights:
        if name not in (*available, *STORE_PATHS):
            raise InvalidRequest(
                f"{_WEIGHTS}: unknown search path {name!r}; available: {', '.join(available)}", param=_WEIGHTS
            )
    if options.mode == "sparse" and "sparse" not in available:
        raise _no_sparse_vectors(snapshot.store_id)
    if options.mode != "hybrid":
        return (options.mode,)
    selected = tuple(name for name in available if options.weight(name) > 0)
    if not selected:
        raise InvalidRequest(f"{_WEIGHTS}: every search path has the weight 0", param=_WEIGHTS)
    return selected


def _no_sparse_vectors(store: str) -> InvalidRequest:
    return InvalidRequest(
        f"mode: the vector store {store!r} has no learned sparse vectors: set RAG_EMBEDDER__SPARSE_MODEL and run "
        f"`python -m rag reindex --store {store} --rebuild`",
        param="mode",
    )
