"""Retrieval metrics of ranked documents, computed by trec_eval (package pytrec_eval-terrier)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.types import JsonObject
from rag.upload import ServiceError

NDCG_10, RECALL_10, RECALL_100, MRR_10, HIT_5 = "ndcg@10", "recall@10", "recall@100", "mrr@10", "hit@5"
METRICS = (NDCG_10, RECALL_10, RECALL_100, MRR_10, HIT_5)
"""In [0, 1], higher is better. `hit@5` counts passages, the others count documents."""
DEPTH = 100
"""Default number of hits to request: recall@100 needs 100."""
_TREC_NAMES = {"ndcg_cut_10": NDCG_10, "recall_10": RECALL_10, "recall_100": RECALL_100}

RelevanceJudgements = Mapping[str, Mapping[str, int]]
"""Query id -> document id -> grade."""
PerQuery = dict[str, dict[str, float]]
"""Metric -> query id -> value."""


def ranked_documents(hits: Sequence[JsonObject], doc_ids: Mapping[str, str]) -> list[str]:
    """The document id of each hit, best first. A document occurs once for each of its passages that was found.

    Args:
        doc_ids: File name -> document id.
    """
    try:
        return [doc_ids[str(hit["filename"])] for hit in hits]
    except KeyError as error:
        raise ServiceError(
            f"the vector store contains {error}, which is not a document of the set; use --fresh to rebuild it"
        ) from None


def compute_metrics(relevant: RelevanceJudgements, ranked: Mapping[str, Sequence[str]], depth: int) -> PerQuery:
    """The metrics of each query. A document's rank is that of its best passage.

    Args:
        ranked: Query id -> document ids, one for each hit, best first.
        depth: Number of hits requested. Metrics with a deeper cutoff are left out.
    """
    distinct = {query_id: list(dict.fromkeys(docs)) for query_id, docs in ranked.items()}
    figures: PerQuery = {}
    for name, values in _trec_eval(relevant, distinct, "ndcg_cut.10", "recall.10,100").items():
        figures[_TREC_NAMES[name]] = values
    first_ten = {query_id: docs[:10] for query_id, docs in distinct.items()}
    figures[MRR_10] = _trec_eval(relevant, first_ten, "recip_rank")["recip_rank"]
    figures[HIT_5] = {i: float(any(relevant[i].get(doc, 0) > 0 for doc in docs[:5])) for i, docs in ranked.items()}
    return {name: figures[name] for name in METRICS if int(name.partition("@")[2]) <= depth}


def _trec_eval(relevant: RelevanceJudgements, ranked: Mapping[str, Sequence[str]], *measures: str) -> PerQuery:
    import pytrec_eval

    # trec_eval sorts by score and breaks ties by name; scores made from ranks keep the service's order.
    run = {query_id: {doc: float(-rank) for rank, doc in enumerate(docs)} for query_id, docs in ranked.items()}
    judged = {query_id: dict(relevant[query_id]) for query_id in ranked}
    found = pytrec_eval.RelevanceEvaluator(judged, set(measures)).evaluate({q: docs for q, docs in run.items() if docs})
    names = next(iter(found.values())) if found else _names(measures)
    # trec_eval leaves out queries without hits; they count as 0.
    return {name: {query_id: float(found.get(query_id, {}).get(name, 0.0)) for query_id in ranked} for name in names}


def _names(measures: Sequence[str]) -> list[str]:
    """The names in trec_eval's output: `recall.10,100` gives `recall_10` and `recall_100`."""
    return [
        f"{stem}_{cut}" if cut else stem
        for stem, _, cuts in (measure.partition(".") for measure in measures)
        for cut in cuts.split(",")
    ]
