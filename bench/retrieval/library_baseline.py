"""Baseline: sentence-transformers and pymilvus without the service, in a process of their own.

`python -m bench.retrieval.library_baseline` reads a JSON request on stdin and prints a JSON answer.
`{"do": "encode", "texts", "folder", "threads", ...}` -> wall-clock and CPU seconds;
`{"do": "search", "questions", ..., "uri", "collection", "limit", "fields"}` -> milliseconds per question for encoding,
dense search and keyword search.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

WARM_UP = 3


def encode(request: Mapping[str, Any]) -> dict[str, Any]:
    model = _model(request)
    texts = sorted(request["texts"], key=len)
    model.encode(texts[:: max(1, len(texts) // 32)], show_progress_bar=False)
    started, cpu_started = time.perf_counter(), time.process_time()
    model.encode(texts, batch_size=request["batch_size"], show_progress_bar=False, normalize_embeddings=True)
    return {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu_started}


def search(request: Mapping[str, Any]) -> dict[str, Any]:
    from pymilvus import MilvusClient
    from threadpoolctl import threadpool_limits

    from rag.keywords import keyword_text

    threadpool_limits(limits=1, user_api="blas")  # as the service does; faster for one question at a time
    model, client = _model(request), MilvusClient(request["uri"])
    client.load_collection(request["collection"])
    common = {"limit": request["limit"], "output_fields": request["fields"]}
    milliseconds: dict[str, list[float]] = {"encode": [], "dense": [], "keyword": [], "total": []}
    for question in [*request["questions"][:WARM_UP], *request["questions"]]:
        marks = [time.perf_counter()]
        vector = model.encode([question], show_progress_bar=False, normalize_embeddings=True)
        marks.append(time.perf_counter())
        client.search(request["collection"], data=list(vector), anns_field="dense", **common)
        marks.append(time.perf_counter())
        text = keyword_text(question, request["language"])
        client.search(request["collection"], data=[text], anns_field="keyword", **common)
        marks.append(time.perf_counter())
        for name, begin, end in zip(("encode", "dense", "keyword"), marks, marks[1:], strict=False):
            milliseconds[name].append((end - begin) * 1000)
        milliseconds["total"].append((marks[-1] - marks[0]) * 1000)
    return {name: values[WARM_UP:] for name, values in milliseconds.items()}


def _model(request: Mapping[str, Any]) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    if request["threads"] is not None:
        torch.set_num_threads(request["threads"])
    return SentenceTransformer(request["folder"], device=request["device"])


if __name__ == "__main__":
    request = json.load(sys.stdin)
    answer = {"encode": encode, "search": search}[request["do"]](request)
    print(json.dumps(answer))
