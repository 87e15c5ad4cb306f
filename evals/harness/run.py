"""Runs sets under configurations against the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from evals.harness import answers as answering
from evals.harness import ranking
from evals.harness.abstention import NOTHING_FOUND, Curve, best_cosine, curve
from evals.harness.client import Config, EvalAnswer, EvalRetrieval, ask, map_concurrently, retrieve
from evals.harness.eval_set import EvalQuestion, EvalSet
from evals.harness.eval_store import EvalStore, ensure_indexed
from evals.harness.statistics import Latency, Mean, latency, mean
from rag.types import JsonObject

ShowProgress = Callable[[str, int, int], object]
"""Progress callback: description, done, total."""
_REPORTED_HITS = 5
_REPORTED_CHARS = 300
ANSWER_DEFAULTS: Mapping[str, Any] = {"max_tokens": 256, "temperature": 0.0, "seed": 0}


@dataclass(frozen=True, slots=True)
class Measurement:
    """Metrics and latencies of retrieval or of answers."""

    per_query: Mapping[str, Mapping[str, float]]
    """Metric -> query id -> value."""
    means: Mapping[str, Mean]
    milliseconds: tuple[float, ...]
    """Latency of each timed request, in the order of the queries."""
    latency: Latency | None
    not_timed: int = 0
    """Requests that are not timed: answered by a cache, or retried."""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConfigResult:
    """Results of a set under one configuration."""

    request: Mapping[str, Any]
    retrieval: Measurement | None = None
    answers: Measurement | None = None
    abstention: Curve | None = None
    best_cosines: Mapping[str, float] = field(default_factory=dict)
    """Question id -> best cosine: the input of the abstention curve."""
    confidence: Curve | None = None
    """The abstention curve by the confidence of quoted answers."""


@dataclass(frozen=True, slots=True)
class SetResult:
    """Results of a set under all configurations."""

    chosen: EvalSet
    store: EvalStore
    results: Mapping[str, ConfigResult]


@dataclass(frozen=True, slots=True)
class Runner:
    """Evaluates sets against a running service.

    Args:
        client: HTTP client of the service.
        answers: Whether to ask the language model as well.
        fresh: Rebuild each vector store.
    """

    client: httpx.Client
    concurrency: int = 4
    seed: int = 0
    answers: bool = True
    fresh: bool = False
    show: ShowProgress = lambda _what, _done, _total: None
    pause: Callable[[float], object] = time.sleep

    def evaluate(self, chosen: EvalSet, configs: Sequence[Config]) -> SetResult:
        """Raises BadInput and Rejected."""
        store = self.index(chosen)
        return SetResult(chosen, store, {config.name: self.measure(chosen, store, config) for config in configs})

    def index(self, chosen: EvalSet) -> EvalStore:
        show = self._shows(f"{chosen.name}: documents")
        return ensure_indexed(self.client, chosen, fresh=self.fresh, show=show, pause=self.pause)

    def measure(self, chosen: EvalSet, store: EvalStore, config: Config) -> ConfigResult:
        retrieval = self.retrieval(chosen, store, config) if chosen.queries else None
        cosines = self._best_cosines(chosen, store, config)
        answers = self._answers(chosen, store, config) if self.answers and chosen.questions else None
        confidences = {} if answers is None else _confidences(answers)
        curves = _curve(chosen, cosines), _curve(chosen, confidences)
        return ConfigResult(dict(config.request), retrieval, answers, curves[0], cosines, curves[1])

    def retrieval(self, chosen: EvalSet, store: EvalStore, config: Config) -> Measurement:
        body = config.for_retrieve(vector_store=store.store_id, top_k=ranking.DEPTH)
        show = self._shows(f"{chosen.name}, {config.name}: queries")
        found = self._retrieved([{**body, "query": query.text} for query in chosen.queries], show)
        doc_ids = {document.filename: document.doc_id for document in chosen.documents}
        ids = [query.query_id for query in chosen.queries]
        ranked = {i: ranking.ranked_documents(one.hits, doc_ids) for i, one in zip(ids, found, strict=True)}
        figures = ranking.compute_metrics(chosen.relevant, ranked, int(body["top_k"]))
        hits = {i: _passages_json(one.hits, doc_ids) for i, one in zip(ids, found, strict=True)}
        return self._measured(figures, [one.ms for one in found], {"top_k": body["top_k"], "hits": hits})

    def _best_cosines(self, chosen: EvalSet, store: EvalStore, config: Config) -> dict[str, float]:
        """Over as many hits as `/ask` would use. Empty unless the set has answerable and unanswerable questions."""
        if len({question.unanswerable for question in chosen.questions}) < 2:
            return {}
        body = config.for_retrieve(vector_store=store.store_id, explain=True)
        show = self._shows(f"{chosen.name}, {config.name}: best cosines")
        bodies = [{**body, "query": question.text, **_history(question)} for question in chosen.questions]
        found = self._retrieved(bodies, show)
        pairs = zip(chosen.questions, found, strict=True)
        cosines = {question.question_id: best_cosine(one.hits) for question, one in pairs}
        known = {question_id: cosine for question_id, cosine in cosines.items() if cosine is not None}
        return known if len(known) == len(cosines) else {}

    def _retrieved(self, bodies: Sequence[JsonObject], show: Callable[[int, int], object]) -> list[EvalRetrieval]:
        return map_concurrently(lambda one: retrieve(self.client, one), bodies, self.concurrency, show)

    def _answers(self, chosen: EvalSet, store: EvalStore, config: Config) -> Measurement:
        body = config.for_ask(vector_store=store.store_id, **ANSWER_DEFAULTS)
        bodies = [{**body, "question": question.text, **_history(question)} for question in chosen.questions]
        show = self._shows(f"{chosen.name}, {config.name}: answers")
        given = map_concurrently(lambda one: ask(self.client, one), bodies, self.concurrency, show)
        figures = answering.compute_metrics(chosen.questions, given)
        first = latency([one.first_token_ms for one in given if one.first_token_ms is not None])
        given_answers = {
            question.question_id: {"question": question.text, **_answer_json(one)}
            for question, one in zip(chosen.questions, given, strict=True)
        }
        details = {"first_token_ms": first and asdict(first), "given": given_answers}
        return self._measured(figures, [one.ms for one in given], details)

    def _measured(
        self, figures: Mapping[str, Mapping[str, float]], times: Sequence[float | None], details: Mapping[str, Any]
    ) -> Measurement:
        timed = tuple(ms for ms in times if ms is not None)
        means = {name: mean(list(values.values()), self.seed) for name, values in figures.items()}
        return Measurement(figures, means, timed, latency(timed), len(times) - len(timed), details)

    def _shows(self, what: str) -> Callable[[int, int], object]:
        return lambda done, total: self.show(what, done, total)


def _passages_json(hits: Sequence[JsonObject], doc_ids: Mapping[str, str]) -> list[JsonObject]:
    """The best passages of a query, shortened: the report shows them for queries that got worse."""
    return [
        {"document": doc_ids[hit["filename"]], "text": hit["text"][:_REPORTED_CHARS], "score": hit["score"]}
        for hit in hits[:_REPORTED_HITS]
    ]


def _answer_json(answer: EvalAnswer) -> JsonObject:
    sources = [source["filename"] for source in answer.sources]
    return {
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "sources": sources,
        "citations": answer.citations,
        "style": answer.style,
        "confidence": answer.confidence,
    }


def _history(question: EvalQuestion) -> JsonObject:
    return {"history": [asdict(turn) for turn in question.history]} if question.history else {}


def _confidences(answers: Measurement) -> dict[str, float]:
    """By question id; below every threshold if no hit was relevant. Empty if no answer is quoted."""
    given = answers.details["given"]
    if not any(one["confidence"] is not None for one in given.values()):
        return {}
    return {name: NOTHING_FOUND if one["confidence"] is None else one["confidence"] for name, one in given.items()}


def _curve(chosen: EvalSet, scores: Mapping[str, float]) -> Curve | None:
    answerable = {q.question_id: scores[q.question_id] for q in chosen.questions if scores and not q.unanswerable}
    unanswerable = {q.question_id: scores[q.question_id] for q in chosen.questions if scores and q.unanswerable}
    return curve(answerable, unanswerable) if answerable and unanswerable else None
