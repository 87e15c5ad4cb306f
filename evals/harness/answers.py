"""Answer metrics: agreement with the set's reference answers, and abstention."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evals.harness.client import EvalAnswer
from evals.harness.eval_set import EvalQuestion

EXACT, F1, CONTAINS = "exact_match", "f1", "contains"
ABSTAINED, ANSWERED, CITED = "abstained", "answered", "cited"
METRICS = (EXACT, F1, CONTAINS, ABSTAINED, ANSWERED, CITED)
"""In [0, 1], higher is better. `abstained` covers unanswerable questions, `answered` the answerable ones."""
_NO_SOURCES = "no_sources"
_CITATION = re.compile(r"\s*\[\d+\]")
_NEGATION = r"(?:\s+not|n['’]t|not)"
_TEXTS = r"(?:passages?|documents?|context|texts?|sources?)"
_SAYS_UNKNOWN = re.compile(
    rf"\b(?:I|we)\s+(?:do|am|are|can|could){_NEGATION}\s+(?:\w+\s+)?(?:know|find|answer|tell|say|determine|sure|able)\b"
    rf"|\b{_TEXTS}\s+(?:do|does){_NEGATION}\s+(?:\w+\s+)?(?:mention|contain|hold|say|specify|provide|state|give|answer|have)\b"
    rf"|\bnot\s+(?:\w+\s+)?(?:mentioned|specified|stated|provided|given|found|answered)\s+(?:in|by)\s+the\s+{_TEXTS}\b"
    r"|\bno\s+(?:information|mention|answer)\b|\bunanswerable\b|\bfound\s+nothing\b",
    re.IGNORECASE,
)


def has_abstained(answer: EvalAnswer) -> bool:
    """Whether nothing relevant was found, or the first sentence says that the answer is unknown."""
    first_sentence = re.split(r"(?<=[.!?])\s|\n", answer.text.strip(), maxsplit=1)[0]
    return answer.finish_reason == _NO_SOURCES or bool(_SAYS_UNKNOWN.search(first_sentence))


def compute_metrics(questions: Sequence[EvalQuestion], answers: Sequence[EvalAnswer]) -> dict[str, dict[str, float]]:
    """Metric -> question id -> value; metrics without any value are left out.

    Exact match and F1 are SQuAD's (`transformers.data.metrics.squad_metrics`), the best over all reference answers,
    without citations. `contains`: a reference answer occurs in the text. An abstention scores 0 in all three.
    `cited`: an answer has at least one citation; abstentions do not count.
    """
    figures: dict[str, dict[str, float]] = {name: {} for name in METRICS}
    for question, answer in zip(questions, answers, strict=True):
        abstained = has_abstained(answer)
        if question.unanswerable:
            figures[ABSTAINED][question.question_id] = float(abstained)
            continue
        figures[ANSWERED][question.question_id] = float(not abstained)
        if not abstained:
            figures[CITED][question.question_id] = float(answer.citations > 0)
        if question.answers:
            text = "" if abstained else _CITATION.sub("", answer.text)
            for name, value in _squad_metrics(question.answers, text).items():
                figures[name][question.question_id] = value
    return {name: values for name, values in figures.items() if values}


def _squad_metrics(references: Sequence[str], text: str) -> Mapping[str, float]:
    from transformers.data.metrics import squad_metrics

    squad: Any = squad_metrics
    words = f" {squad.normalize_answer(text)} "
    normalised = [squad.normalize_answer(one) for one in references]
    return {
        EXACT: float(max(squad.compute_exact(one, text) for one in references)),
        F1: float(max(squad.compute_f1(one, text) for one in references)),
        CONTAINS: float(any(f" {one} " in words for one in normalised if one)),
    }
