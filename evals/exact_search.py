"""`python -m evals.exact_search SET ...`: retrieval metrics of the encoder alone, by exact search without the service.

Each document is one vector. For sets whose documents are one passage each, this is the reference for the dense path.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from evals.harness import ranking
from evals.harness.eval_set import EvalSet, InputError
from evals.harness.set_reader import read_set
from evals.harness.statistics import mean
from rag import config
from rag.adapters import model_files
from rag.ports import Vectors

Encode = Callable[[Sequence[str]], Vectors]


def main(arguments: Sequence[str] | None = None) -> int:
    cli = argparse.ArgumentParser(prog="python -m evals.exact_search", description=__doc__)
    cli.add_argument("sets", nargs="+", type=Path, metavar="SET")
    cli.add_argument("--threads", type=int, help="CPU threads; default: all cores")
    chosen = cli.parse_args(arguments)
    try:
        sets = [read_set(path) for path in chosen.sets]
    except InputError as error:
        print(f"failed: {error}", file=sys.stderr)
        return 2
    encode = _encoder(chosen.threads)
    for one in sets:
        figures = evaluate(one, encode)
        means = {name: round(mean(list(values.values()), 0).value, 4) for name, values in figures.items()}
        print(json.dumps({"set": one.name, "queries": len(one.queries), **means}), flush=True)
    return 0


def evaluate(chosen: EvalSet, encode: Encode) -> ranking.PerQuery:
    documents = encode([document.content().decode() for document in chosen.documents])
    queries = encode([query.text for query in chosen.queries])
    ids = [document.doc_id for document in chosen.documents]
    ranked = {}
    for query, vector in zip(chosen.queries, queries, strict=True):
        best = np.argsort(-(documents @ vector), kind="stable")[: ranking.DEPTH]
        ranked[query.query_id] = [ids[position] for position in best]
    return ranking.compute_metrics(chosen.relevant, ranked, ranking.DEPTH)


def _encoder(threads: int | None) -> Encode:
    import torch
    from sentence_transformers import SentenceTransformer

    if threads:
        torch.set_num_threads(threads)
    settings = config.load()
    encoder = SentenceTransformer(str(model_files.embedder_folder(settings)), device=settings.embedder.device)
    return lambda texts: np.asarray(encoder.encode(list(texts), batch_size=8, normalize_embeddings=True))


if __name__ == "__main__":
    sys.exit(main())
