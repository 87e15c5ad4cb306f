"""Hits -> a ranking of documents -> figures of retrieval, by trec_eval (the package pytrec_eval-terrier)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.types import JsonObject
from rag.upload import ServiceError

NDCG_10, RECALL_10, RECALL_100, MRR_10, HIT_5 = "ndcg@10", "recall@10", "recall@100", "mrr@10", "hit@5"
METRICS = (NDCG_10, RECALL_10, RECALL_100, MRR_10, HIT_5)
"""All are in [0, 1], and higher is better. `hit@5` counts passages, the others documents."""
DEPTH = 100
"""Hits that are asked for unless the configuration says otherwise: what recall@100 needs."""
_TREC = {"ndcg_cut_10": NDCG_10, "recall_10": RECALL_10, "recall_100": RECALL_100}

Judged = Mapping[str, Mapping[str, int]]
"""Query id -> document id -> grade."""
PerQuery = dict[str, dict[str, float]]
"""Metric -> query id -> value."""


def ranked_documents(hits: Sequence[JsonObject], doc_ids: Mapping[str, str]) -> list[str]:
    """A document for each hit, best first; one of which several passages were found is there several times.

    Args:
        doc_ids: By file name.
    """
    try:
        return [doc_ids[str(hit["filename"])] for hit in hits]
    except KeyError as error:
        message = f"found {error}, which is no document of the set; --fresh makes its vector store anew"
        raise ServiceError(message) from None


def measured(relevant: Judged, ranked: Mapping[str, Sequence[str]], depth: int) -> PerQuery:
    """The figures of each query. A document stands where its best passage does.

    Args:
        ranked: Query id -> document ids, one for each hit, best first.
        depth: Hits that were asked for. What lies deeper cannot be measured and is left out.
    """
    distinct = {query_id: list(dict.fromkeys(docs)) for query_id, docs in ranked.items()}
    figures: PerQuery = {}
    for name, values in _trec(relevant, distinct, "ndcg_cut.10", "recall.10,100").items():
        figures[_TREC[name]] = values
    first_ten = {query_id: docs[:10] for query_id, docs in distinct.items()}
    figures[MRR_10] = _trec(relevant, first_ten, "recip_rank")["recip_rank"]
    figures[HIT_5] = {i: float(any(relevant[i].get(doc, 0) > 0 for doc in docs[:5])) for i, docs in ranked.items()}
    return {name: figures[name] for name in METRICS if int(name.partition("@")[2]) <= depth}


def _trec(relevant: Judged, ranked: Mapping[str, Sequence[str]], *measures: str) -> PerQuery:
    import pytrec_eval

    # trec_eval orders by score, and equal scores by name; scores of our own keep the service's order.
    run = {query_id: {doc: float(-rank) for rank, doc in enumerate(docs)} for query_id, docs in ranked.items()}
    judged = {query_id: dict(relevant[query_id]) for query_id in ranked}
    found = pytrec_eval.RelevanceEvaluator(judged, set(measures)).evaluate({q: docs for q, docs in run.items() if docs})
    names = next(iter(found.values())) if found else _names(measures)
    # A query without any hit is not in trec_eval's answer; it counts as 0.
    return {name: {query_id: float(found.get(query_id, {}).get(name, 0.0)) for query_id in ranked} for name in names}


def _names(measures: Sequence[str]) -> list[str]:
    """As trec_eval writes them: `recall.10,100` are `recall_10` and `recall_100`."""
    return [
        f"{stem}_{cut}" if cut else stem
        for stem, _, cuts in (measure.partition(".") for measure in measures)
        for cut in cuts.split(",")
    ]
