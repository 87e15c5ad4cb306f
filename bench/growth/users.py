"""`/ask` with growing numbers of users, and a stub language model that answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.growth.chunks import filled, questions
from bench.growth.curve import Curve
from bench.load import Call, measure
from bench.report import summary
from bench.servers import bundle
from bench.workload import INSTANT_BUNDLE, MAX_TOKENS

_LEAST_CALLS = 24
_CALLS_PER_USER = 3
_OPTIONS = {
    "RAG_RETRIEVE__MIN_COSINE": "-1",  # the vectors of the chunks are random
    "RAG_SERVER__CALLER_TURNS": "1000",  # one client stands for all users
}


def curve(folder: Path, chunks: int, users: Sequence[int]) -> Curve:
    series: dict[str, list[float]] = {
        "first token, p50, ms": [],
        "first token, p95, ms": [],
        "answers a second": [],
        "CPU, ms an answer": [],
    }
    own = filled(folder, chunks)
    with bundle(own, own / "service.log", INSTANT_BUNDLE, **_OPTIONS) as server:
        measure(_calls(server.url, _LEAST_CALLS), users=1)  # warm-up
        for count in users:
            calls = _calls(server.url, max(_LEAST_CALLS, _CALLS_PER_USER * count))
            before = sum(server.cpu_s().values())
            load = measure(calls, count)
            cpu_s = sum(server.cpu_s().values()) - before
            if not all(answer.tokens for answer in load.answers):
                raise RuntimeError("a question found nothing, so it did not reach the language model")
            figures = summary(load.first_token_ms)
            series["first token, p50, ms"].append(figures["p50"])
            series["first token, p95, ms"].append(figures["p95"])
            series["answers a second"].append(len(calls) / load.wall_s)
            series["CPU, ms an answer"].append(cpu_s * 1000 / len(calls))
    return Curve(f"/ask by users, {chunks:,} chunks", "users", users, series)


def _calls(url: str, count: int) -> list[Call]:
    body = {"max_tokens": MAX_TOKENS, "temperature": 0.0}
    return [Call(f"{url}/ask", {**body, "question": question}) for question in questions(count)]
