"""Sets and configurations -> figures, through the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from evals.harness import answers as answering
from evals.harness import ranking
from evals.harness.abstention import Curve, best_cosine, curve
from evals.harness.client import Config, EvalAnswer, EvalRetrieval, ask, retrieve, side_by_side
from evals.harness.eval_set import EvalSet
from evals.harness.indexed_set import IndexedSet, filled
from evals.harness.statistics import Latency, Mean, latency, mean
from rag.types import JsonObject

Show = Callable[[str, int, int], object]
"""Told what is being done, how much of it is done, and of how much."""
ANSWER_DEFAULTS: Mapping[str, Any] = {"max_tokens": 64, "temperature": 0.0, "seed": 0}


@dataclass(frozen=True, slots=True)
class Measured:
    """One thing that was measured: retrieval, or answers."""

    per_query: Mapping[str, Mapping[str, float]]
    """Metric -> query id -> value."""
    means: Mapping[str, Mean]
    milliseconds: tuple[float, ...]
    """Of each request that counts, in the order of the queries."""
    latency: Latency | None
    not_timed: int = 0
    """Requests that do not count: a cache answered, or they had to be sent again."""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvalResult:
    """A set under one configuration."""

    request: Mapping[str, Any]
    retrieval: Measured | None = None
    answers: Measured | None = None
    abstention: Curve | None = None
    best_cosines: Mapping[str, float] = field(default_factory=dict)
    """By question id; what the curve is made of."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A set under all configurations."""

    chosen: EvalSet
    shelf: IndexedSet
    results: Mapping[str, EvalResult]


@dataclass(frozen=True, slots=True)
class Runner:
    """Args:
    client: Of the running service.
    answers: Whether questions are put to the language model, too.
    fresh: Make each vector store anew.
    """

    client: httpx.Client
    concurrency: int = 4
    seed: int = 0
    answers: bool = True
    fresh: bool = False
    show: Show = lambda _what, _done, _total: None
    pause: Callable[[float], object] = time.sleep

    def evaluate(self, chosen: EvalSet, configs: Sequence[Config]) -> Evaluated:
        """Raises BadInput and Rejected."""
        shelf = self.shelve(chosen)
        return Evaluated(chosen, shelf, {config.name: self.measure(chosen, shelf, config) for config in configs})

    def shelve(self, chosen: EvalSet) -> IndexedSet:
        show = self._shows(f"{chosen.name}: documents")
        return filled(self.client, chosen, fresh=self.fresh, show=show, pause=self.pause)

    def measure(self, chosen: EvalSet, shelf: IndexedSet, config: Config) -> EvalResult:
        retrieval = self.retrieval(chosen, shelf, config) if chosen.queries else None
        cosines = self._best_cosines(chosen, shelf, config)
        answers = self._answers(chosen, shelf, config) if self.answers and chosen.questions else None
        return EvalResult(dict(config.request), retrieval, answers, _curve(chosen, cosines), cosines)

    def retrieval(self, chosen: EvalSet, shelf: IndexedSet, config: Config) -> Measured:
        body = config.for_retrieve(vector_store=shelf.store_id, top_k=ranking.DEPTH)
        show = self._shows(f"{chosen.name}, {config.name}: queries")
        texts = [query.text for query in chosen.queries]
        found = self._retrieved(texts, body, show)
        doc_ids = {document.filename: document.doc_id for document in chosen.documents}
        ids = [query.query_id for query in chosen.queries]
        ranked = {i: ranking.ranked_documents(one.hits, doc_ids) for i, one in zip(ids, found, strict=True)}
        figures = ranking.measured(chosen.relevant, ranked, int(body["top_k"]))
        return self._measured(figures, [one.ms for one in found], {"top_k": body["top_k"]})

    def _best_cosines(self, chosen: EvalSet, shelf: IndexedSet, config: Config) -> dict[str, float]:
        """Of as many hits as an answer is made from; empty where there is no threshold to look for."""
        if len({question.unanswerable for question in chosen.questions}) < 2:
            return {}
        body = config.for_retrieve(vector_store=shelf.store_id, explain=True)
        show = self._shows(f"{chosen.name}, {config.name}: best cosines")
        found = self._retrieved([question.text for question in chosen.questions], body, show)
        pairs = zip(chosen.questions, found, strict=True)
        cosines = {question.question_id: best_cosine(one.hits) for question, one in pairs}
        known = {question_id: cosine for question_id, cosine in cosines.items() if cosine is not None}
        return known if len(known) == len(cosines) else {}

    def _retrieved(
        self, texts: Sequence[str], body: JsonObject, show: Callable[[int, int], object]
    ) -> list[EvalRetrieval]:
        bodies = [{**body, "query": text} for text in texts]
        return side_by_side(lambda one: retrieve(self.client, one), bodies, self.concurrency, show)

    def _answers(self, chosen: EvalSet, shelf: IndexedSet, config: Config) -> Measured:
        body = config.for_ask(vector_store=shelf.store_id, **ANSWER_DEFAULTS)
        bodies = [{**body, "question": question.text} for question in chosen.questions]
        show = self._shows(f"{chosen.name}, {config.name}: answers")
        given = side_by_side(lambda one: ask(self.client, one), bodies, self.concurrency, show)
        figures = answering.measured(chosen.questions, given)
        first = latency([one.first_token_ms for one in given if one.first_token_ms is not None])
        told = {question.question_id: _told(one) for question, one in zip(chosen.questions, given, strict=True)}
        details = {"first_token_ms": first and asdict(first), "given": told}
        return self._measured(figures, [one.ms for one in given], details)

    def _measured(
        self, figures: Mapping[str, Mapping[str, float]], times: Sequence[float | None], details: Mapping[str, Any]
    ) -> Measured:
        timed = tuple(ms for ms in times if ms is not None)
        means = {name: mean(list(values.values()), self.seed) for name, values in figures.items()}
        return Measured(figures, means, timed, latency(timed), len(times) - len(timed), details)

    def _shows(self, what: str) -> Callable[[int, int], object]:
        return lambda done, total: self.show(what, done, total)


def _told(answer: EvalAnswer) -> JsonObject:
    sources = [source["filename"] for source in answer.sources]
    return {"text": answer.text, "finish_reason": answer.finish_reason, "sources": sources}


def _curve(chosen: EvalSet, cosines: Mapping[str, float]) -> Curve | None:
    answerable = {q.question_id: cosines[q.question_id] for q in chosen.questions if cosines and not q.unanswerable}
    unanswerable = {q.question_id: cosines[q.question_id] for q in chosen.questions if cosines and q.unanswerable}
    return curve(answerable, unanswerable) if answerable and unanswerable else None
