"""From hits and answers to figures, and from figures to a verdict."""

from __future__ import annotations

import math
import random

import pytest

from evals.harness import answers, ranking
from evals.harness.abstention import NOTHING_FOUND, best_cosine, curve
from evals.harness.client import EvalAnswer
from evals.harness.eval_set import EvalQuestion
from evals.harness.statistics import latency, loss_p_value, mean
from rag.types import JsonObject
from rag.upload import ServiceError

DOC_IDS = {f"{name}.txt": name for name in "abcdefghijkl"}


def hits(names: str) -> list[JsonObject]:
    return [{"filename": f"{name}.txt"} for name in names]


# --- retrieval -------------------------------------------------------------------------------


def test_metrics_of_a_ranking() -> None:
    relevant = {"q": {"b": 1, "e": 1}}
    figures = ranking.compute_metrics(relevant, {"q": list("abcde")}, 100)
    best = 1 + 1 / math.log2(3)
    assert figures[ranking.NDCG_10]["q"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(6)) / best)
    assert figures[ranking.MRR_10]["q"] == 0.5
    assert figures[ranking.RECALL_10]["q"] == figures[ranking.RECALL_100]["q"] == figures[ranking.HIT_5]["q"] == 1.0


def test_a_document_has_the_rank_of_its_best_passage() -> None:
    docs = ranking.ranked_documents(hits("aabab"), DOC_IDS)
    figures = ranking.compute_metrics({"q": {"b": 1}}, {"q": docs}, 100)
    assert figures[ranking.MRR_10]["q"] == 0.5


def test_hit_5_counts_passages() -> None:
    figures = ranking.compute_metrics({"q": {"b": 1}}, {"q": list("aaaaab")}, 100)
    assert (figures[ranking.HIT_5]["q"], figures[ranking.MRR_10]["q"]) == (0.0, 0.5)


def test_mrr_is_cut_off_at_ten() -> None:
    figures = ranking.compute_metrics(
        {"q": {"k": 1}, "r": {"j": 1}}, {"q": list("abcdefghijk"), "r": list("abcdefghij")}, 100
    )
    assert figures[ranking.MRR_10] == {"q": 0.0, "r": pytest.approx(0.1)}
    assert figures[ranking.RECALL_100]["q"] == 1.0


def test_the_services_order_counts_whatever_the_names() -> None:
    """trec_eval would put equal scores in the order of their names."""
    for docs in ("ab", "ba"):
        figures = ranking.compute_metrics({"q": {docs[0]: 1}}, {"q": list(docs)}, 100)
        assert figures[ranking.NDCG_10]["q"] == 1.0


def test_a_query_without_hits_counts_as_zero() -> None:
    figures = ranking.compute_metrics({"q": {"a": 1}, "r": {"a": 1}}, {"q": [], "r": ["a"]}, 100)
    assert all(values["q"] == 0.0 and values["r"] == 1.0 for values in figures.values())
    assert {name: values["q"] for name, values in ranking.compute_metrics({"q": {"a": 1}}, {"q": []}, 100).items()} == (
        dict.fromkeys(ranking.METRICS, 0.0)
    )


def test_grades_count() -> None:
    relevant = {"q": {"a": 1, "b": 3}}
    better, worse = (
        ranking.compute_metrics(relevant, {"q": list(docs)}, 100)[ranking.NDCG_10]["q"] for docs in ("ba", "ab")
    )
    assert better == 1.0 > worse


def test_metrics_deeper_than_the_ranking_are_left_out() -> None:
    assert set(ranking.compute_metrics({"q": {"a": 1}}, {"q": ["a"]}, 10)) == {*ranking.METRICS} - {ranking.RECALL_100}
    assert set(ranking.compute_metrics({"q": {"a": 1}}, {"q": ["a"]}, 5)) == {ranking.HIT_5}


def test_a_foreign_document_is_an_error() -> None:
    with pytest.raises(ServiceError, match=r"'x.txt', which is not a document of the set"):
        ranking.ranked_documents(hits("ax"), DOC_IDS)


# --- answers ---------------------------------------------------------------------------------


def said(text: str, reason: str = "stop") -> EvalAnswer:
    return EvalAnswer(text, reason, [], 1.0, None)


def test_answers_are_compared_as_squad_does() -> None:
    questions = [EvalQuestion(name, "?", ("the Rhine", "Rhine river")) for name in ("exact", "near", "off", "long")]
    given = [said("Rhine. [1]"), said("the river"), said("Elbe"), said("It is the Rhine, I think.")]
    figures = answers.compute_metrics(questions, given)
    assert figures[answers.EXACT] == {"exact": 1.0, "near": 0.0, "off": 0.0, "long": 0.0}
    assert figures[answers.F1] == {
        "exact": 1.0,
        "near": pytest.approx(2 / 3),
        "off": 0.0,
        "long": pytest.approx(2 / 6),
    }
    assert figures[answers.CONTAINS] == {"exact": 1.0, "near": 0.0, "off": 0.0, "long": 1.0}
    assert figures[answers.ANSWERED] == dict.fromkeys(("exact", "near", "off", "long"), 1.0)
    assert answers.ABSTAINED not in figures


def test_abstention_is_correct_only_for_unanswerable_questions() -> None:
    questions = [
        EvalQuestion("u1", "?", unanswerable=True),
        EvalQuestion("u2", "?", unanswerable=True),
        EvalQuestion("a", "?", ("7",)),
        EvalQuestion("page", "?", gold_doc="d"),
    ]
    given = [said("whatever", "no_sources"), said("Seven."), said("I do not know. Perhaps 7."), said("Seven.")]
    figures = answers.compute_metrics(questions, given)
    assert figures[answers.ABSTAINED] == {"u1": 1.0, "u2": 0.0}
    assert figures[answers.ANSWERED] == {"a": 0.0, "page": 1.0}
    assert figures[answers.EXACT] == figures[answers.F1] == figures[answers.CONTAINS] == {"a": 0.0}


@pytest.mark.parametrize(
    "text",
    [
        "I do not know.",
        "I don't know that.",
        "I’m sorry, but I don’t know.",
        "Sorry, I cannot answer this question.",
        "I could not find it.",
        "I am not sure.",
        "The passages do not mention any price.",
        "The context doesn't provide this.",
        "It is not specified in the documents.",
        "There is no information about this in the passages.",
        "I found nothing about this in the documents.",
    ],
)
def test_phrases_that_count_as_abstention(text: str) -> None:
    assert answers.has_abstained(said(text))


@pytest.mark.parametrize(
    "text",
    [
        "The Rhine.",
        "HTTPS is not provided by default.",
        "The service does not know users.",
        "A file that is not found is a 404.",
        "No, it cannot.",
        "Seven. The passages do not mention more.",
        "",
    ],
)
def test_phrases_that_do_not_count_as_abstention(text: str) -> None:
    assert not answers.has_abstained(said(text))


# --- the threshold ---------------------------------------------------------------------------


def test_the_curve_over_the_threshold() -> None:
    found = curve({"a": 0.9, "b": 0.4}, {"u": 0.2, "v": 0.5})
    at = {point.threshold: (point.abstained, point.answered) for point in found.points}
    assert (at[0.0], at[0.2], at[0.21], at[0.45], at[1.0]) == ((0, 1), (0, 1), (0.5, 1), (0.5, 0.5), (1, 0))
    assert found.auroc == 0.75
    assert (found.best.abstained, found.best.answered) == (0.5, 1.0)


def test_the_best_cosine_is_of_any_hit() -> None:
    cosines: list[JsonObject] = [{"explain": {"cosine": value}} for value in (0.2, None, 0.7)]
    assert best_cosine(cosines) == 0.7
    assert best_cosine([cosines[1]]) is None
    assert best_cosine([]) == NOTHING_FOUND


# --- means and differences -------------------------------------------------------------------


def test_the_interval_is_that_of_a_mean() -> None:
    rng = random.Random(3)
    values = [rng.gauss(0.5, 0.2) for _ in range(400)]
    found = mean(values, seed=1)
    assert found.value == pytest.approx(sum(values) / 400)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.2 / 20, rel=0.15)
    assert found.low < found.value < found.high
    assert (found, found.n) == (mean(values, seed=1), 400)


def test_the_interval_of_values_that_are_all_the_same() -> None:
    found = mean([1.0, 1.0], seed=0)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_percentiles_of_latency() -> None:
    found = latency([float(ms) for ms in range(1, 102)])
    assert found is not None
    assert (found.p50, found.p95, found.mean, found.n) == (51, 96, 51, 101)
    assert latency([]) is None


def change(*differences: float) -> float:
    before = {str(i): 0.5 for i in range(len(differences))}
    after = {str(i): 0.5 + difference for i, difference in enumerate(differences)}
    return loss_p_value(before, after, seed=0)


def test_the_chance_of_a_loss_is_exact_for_few_queries() -> None:
    assert change(-0.1, -0.1, -0.1, -0.1, -0.1) == pytest.approx(1 / 32)
    assert change(-0.1, -0.1, -0.1, -0.1) == pytest.approx(1 / 16)
    assert change(-0.1, 0.1) == pytest.approx(3 / 4)
    assert (change(-0.1), change(0.1)) == (0.5, 1.0)
    assert change(0.1, 0.1, 0.1, 0.1, 0.1) == 1.0


def test_queries_without_a_difference_change_nothing() -> None:
    assert change(*[-0.1] * 5, *[0.0] * 500) == pytest.approx(1 / 32)
    assert change(0.0, 0.0) == 1.0


def test_the_chance_of_a_loss_over_many_queries() -> None:
    rng = random.Random(5)
    noise = [rng.gauss(0.0, 0.1) for _ in range(300)]
    assert change(*noise) > 0.05
    assert change(*(value - 0.03 for value in noise)) < 0.001
    assert change(*(value + 0.03 for value in noise)) > 0.9
