"""Right or wrong: answers against the answers of the set, and whether the service knows what it does not know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evals.harness.client import EvalAnswer
from evals.harness.eval_set import EvalQuestion

EXACT, F1, CONTAINS = "exact_match", "f1", "contains"
ABSTAINED, ANSWERED = "abstained", "answered"
METRICS = (EXACT, F1, CONTAINS, ABSTAINED, ANSWERED)
"""All are in [0, 1], and higher is better. `abstained` is of unanswerable questions, `answered` of the others."""
_NO_SOURCES = "no_sources"
_CITATION = re.compile(r"\s*\[\d+\]")
_NOT = r"(?:\s+not|n['’]t|not)"
_TEXTS = r"(?:passages?|documents?|context|texts?|sources?)"
_DOES_NOT_KNOW = re.compile(
    rf"\b(?:I|we)\s+(?:do|am|are|can|could){_NOT}\s+(?:\w+\s+)?(?:know|find|answer|tell|say|determine|sure|able)\b"
    rf"|\b{_TEXTS}\s+(?:do|does){_NOT}\s+(?:\w+\s+)?(?:mention|contain|hold|say|specify|provide|state|give|answer|have)\b"
    rf"|\bnot\s+(?:\w+\s+)?(?:mentioned|specified|stated|provided|given|found|answered)\s+(?:in|by)\s+the\s+{_TEXTS}\b"
    r"|\bno\s+(?:information|mention|answer)\b|\bunanswerable\b|\bfound\s+nothing\b",
    re.IGNORECASE,
)


def has_abstained(answer: EvalAnswer) -> bool:
    """Whether nothing relevant was found, or the first sentence says that the answer is not known."""
    first_sentence = re.split(r"(?<=[.!?])\s|\n", answer.text.strip(), maxsplit=1)[0]
    return answer.finish_reason == _NO_SOURCES or bool(_DOES_NOT_KNOW.search(first_sentence))


def measured(questions: Sequence[EvalQuestion], answers: Sequence[EvalAnswer]) -> dict[str, dict[str, float]]:
    """Metric -> question id -> value; a metric that no question has a value for is left out.

    Exact match and F1 are SQuAD's, of the best of the right answers (`transformers.data.metrics.squad_metrics`), with
    citations taken out; `contains`: one of the right answers stands in the text. An abstention has 0 in all three.
    """
    figures: dict[str, dict[str, float]] = {name: {} for name in METRICS}
    for question, answer in zip(questions, answers, strict=True):
        abstained = has_abstained(answer)
        if question.unanswerable:
            figures[ABSTAINED][question.question_id] = float(abstained)
            continue
        figures[ANSWERED][question.question_id] = float(not abstained)
        if question.answers:
            said = "" if abstained else _CITATION.sub("", answer.text)
            for name, value in _against(question.answers, said).items():
                figures[name][question.question_id] = value
    return {name: values for name, values in figures.items() if values}


def _against(right: Sequence[str], said: str) -> Mapping[str, float]:
    from transformers.data.metrics import squad_metrics

    squad: Any = squad_metrics
    words = f" {squad.normalize_answer(said)} "
    normalised = [squad.normalize_answer(one) for one in right]
    return {
        EXACT: float(max(squad.compute_exact(one, said) for one in right)),
        F1: float(max(squad.compute_f1(one, said) for one in right)),
        CONTAINS: float(any(f" {one} " in words for one in normalised if one)),
    }
