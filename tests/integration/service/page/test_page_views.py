"""The views Evaluation and Service of the page at `/ui` in Chromium, and what holds for all views."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evals.harness.statistics import loss_p_value
from rag.types import JsonObject
from tests.e2e.conftest import AXOLOTL, PRINTING
from tests.e2e.running import RunningService
from tests.e2e.test_web_page import QUESTION
from tests.integration.service.page.test_page_why import DOCUMENTS, add, open_view, result, search
from tests.support.browser import WIDTHS, violations

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

VIEWS = ("Why", "Evaluation", "Service")
BEFORE = {"q1": 1.0, "q2": 1.0, "q3": 0.5, "q4": 1.0, "q5": 1.0, "q6": 1.0}
AFTER = {"q1": 0.5, "q2": 0.25, "q3": 1.0, "q4": 0.5, "q5": 0.5, "q6": 0.5}


def report(made: str, values: dict[str, float], found: str) -> JsonObject:
    mean = {"value": sum(values.values()) / len(values), "low": 0.2, "high": 1.0, "n": len(values)}
    retrieval = {
        "metrics": {"ndcg@10": mean},
        "latency_ms": {"p50": 5.0, "p95": 9.0},
        "per_query": {"ndcg@10": values},
        "hits": {"q2": [{"document": found, "text": f"The text of {found}", "score": 1.0}]},
    }
    points = [
        {"threshold": 0.0, "abstained": 0.0, "answered": 1.0},
        {"threshold": 1.0, "abstained": 1.0, "answered": 0.0},
    ]
    abstention = {"points": points, "auroc": 0.9, "best": points[1]}
    config = {"request": {"mode": "dense"}, "retrieval": retrieval, "answers": None, "abstention": abstention}
    texts = {query_id: f"Question {query_id}?" for query_id in values}
    one = {"hash": "h", "corpus_hash": "c", "texts": texts, "relevant": {"q2": {"right.md": 1}}, "documents": 2}
    sets = {"manuals": {**one, "vector_store": {"store_id": "vs_1"}, "configurations": {"usual": config}}}
    return {"format": 1, "made": made, "versions": {"bentoml": "1.4"}, "sets": sets}


def open_reports(page: Page, *contents: object) -> None:
    open_view(page, "Evaluation")
    files: Any = [
        {"name": f"report{number}.json", "mimeType": "application/json", "buffer": json.dumps(content).encode()}
        for number, content in enumerate(contents)
    ]
    page.locator(".evaluation input[type=file]").set_input_files(files)


def test_two_runs_are_compared_query_by_query(page: Page) -> None:
    runs = report("2026-01-01", BEFORE, "right.md"), report("2026-01-02", AFTER, "wrong.md")
    open_reports(page, *reversed(runs))
    row = page.get_by_role("row").filter(has_text="ndcg@10").filter(has_text="manuals")
    p = loss_p_value(BEFORE, AFTER, seed=0)
    expect(row).to_contain_text(re.compile(rf"0\.917.*0\.542.*-0\.375.*{p:.3f}", re.S))
    expect(page.locator(".worse > li")).to_have_count(5)
    worst = page.locator(".worse > li").first
    worst.locator("summary").click()
    expect(worst.locator("summary")).to_contain_text("Question q2?")
    expect(worst).to_contain_text("The text of right.md")
    expect(worst).to_contain_text("The text of wrong.md")
    expect(worst.locator(".right")).to_have_count(1)
    assert "mode=dense" in str(worst.get_by_role("link", name="Search for it now").get_attribute("href"))


def test_many_changes_have_the_p_value_of_the_command(page: Page) -> None:
    """More queries than can be permuted exactly, so both sample; their estimates agree to two decimals."""
    before = {f"q{i}": 1.0 for i in range(40)}
    after = {name: 1.0 if i % 3 else 0.2 if i % 2 else 1.5 for i, name in enumerate(before)}
    open_reports(page, report("2026-01-01", before, "a"), report("2026-01-02", after, "a"))
    cells = page.get_by_role("row").filter(has_text="ndcg@10").filter(has_text="manuals").get_by_role("cell")
    assert float(cells.nth(5).inner_text()) == pytest.approx(loss_p_value(before, after, seed=0), abs=0.02)


def test_metrics_of_any_configuration_are_shown_and_the_first_with_a_loss_is_chosen(page: Page) -> None:
    """A configuration that finds few passages has no metrics of ranks."""
    runs = report("2026-01-01", BEFORE, "a"), report("2026-01-02", AFTER, "a")
    for run in runs:
        configs = run["sets"]["manuals"]["configurations"]
        usual = configs.pop("usual")
        answers = {"metrics": {}, "per_query": {"f1": BEFORE}}
        few = {"request": {}, "retrieval": {"metrics": {}, "latency_ms": None}, "answers": answers}
        configs.update({"few": few, "usual": usual})
    open_reports(page, *runs)
    table = page.get_by_role("group", name="Retrieval").get_by_role("table")
    expect(table.get_by_role("row")).to_contain_text(["ndcg@10", "few", re.compile(r"usual.*0\.542", re.S)])
    expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_text(["–", "–", "–"])
    chosen = page.get_by_label("Metric").locator("option:checked")
    expect(chosen).to_have_text("manuals · usual · ndcg@10")
    expect(page.locator(".worse > li")).to_have_count(5)
    numbered = [re.compile(rf"^{number}\. report") for number in (1, 2)]
    expect(page.locator(".evaluation select").first.locator("option")).to_have_text(numbered)


def test_files_that_are_no_reports_are_refused_by_name(page: Page) -> None:
    open_reports(page, [], {"format": 1}, {"format": 9, "sets": {}}, "text")
    alerts = page.locator(".evaluation").get_by_role("alert")
    expect(alerts).to_contain_text([f"report{number}.json" for number in range(4)])


def test_a_report_with_wrong_types_is_shown_as_far_as_it_goes(page: Page) -> None:
    odd = {
        "format": 1,
        "sets": {"odd": {"configurations": {"a": {"retrieval": {"metrics": {"m": {"value": "x"}}}}, "b": 3}}},
    }
    open_reports(page, odd)
    expect(page.get_by_role("heading", name="odd")).to_be_visible()


# Service


def test_the_service_view_has_health_traffic_jobs_and_models(
    page: Page, service: RunningService, page_store: str
) -> None:
    add(service, page_store, {"axolotl.md": AXOLOTL})
    open_view(page, "Service")
    health = page.get_by_role("region", name="Health")
    for name in ("Retriever", "Embedder", "LLM"):
        expect(health.locator("article").filter(has=page.get_by_role("heading", name=name))).to_contain_text("ready")
    expect(health.locator("article").filter(has_text="Embedder ready")).to_contain_text("Dimensions")
    expect(health.locator("article").filter(has_text="Versions")).to_contain_text("BentoML")
    expect(page.get_by_role("region", name="Traffic").locator("article").first).to_contain_text("/s")
    expect(page.get_by_role("region", name="Jobs").get_by_role("row").nth(1)).to_contain_text("page")
    expect(page.get_by_role("region", name="Models").get_by_role("row").filter(has_text="rag").first).to_be_visible()


def test_rates_and_quantiles_are_those_of_two_readings(page: Page) -> None:
    found = page.evaluate(
        """async () => {
            const { Reading, rate, quantile } = await import("./ui/js/service/metrics.js");
            const text = (a, low, high) => `# HELP rag_x_total Some
rag_x_total{a="1"} ${a}
rag_x_total{a="2",b="a \\\\"quoted\\\\" one"} 5
rag_d_bucket{le="1.0"} ${low}
rag_d_bucket{le="3.0"} ${high}
rag_d_bucket{le="+Inf"} ${high}
`;
            const [one, two, restarted] = [text(10, 4, 4), text(30, 4, 8), text(10, 0, 0)];
            const [before, after, last] = [one, two, restarted].map((each, place) => new Reading(each, place * 10_000));
            return {
                all: rate(before, after, "rag_x_total"),
                unchanged: rate(before, after, "rag_x_total", { b: 'a "quoted" one' }),
                restarted: rate(after, last, "rag_x_total", { a: "1" }),
                median: quantile(0.5, before, after, "rag_d"),
            };
        }"""
    )
    assert found == {"all": 2.0, "unchanged": 0.0, "restarted": 1.0, "median": 2.0}


def test_a_service_that_is_not_ready_says_why(page: Page) -> None:
    error = {"message": "the retriever is loading", "code": "starting", "retryable": True}
    page.route("**/readyz", lambda route: route.fulfill(status=503, json={"error": error}))
    open_view(page, "Service")
    health = page.get_by_role("region", name="Health")
    expect(health.get_by_role("status")).to_have_text("not ready the retriever is loading")
    expect(health.locator("article").filter(has_text="Retriever").first).to_be_visible()


# All views


@pytest.mark.long
def test_axe_finds_no_violations(page: Page, service: RunningService, page_store: str) -> None:
    add(service, page_store, DOCUMENTS)
    search(page, page_store, QUESTION)
    page.get_by_role("button", name="Compare two settings").click()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(result(page, "Settings B").locator(".candidate").first).to_be_visible()
    result(page, "Settings A").locator(".prompt summary").click()
    result(page, "Settings A").locator(".candidate").first.get_by_role("button").click()
    assert violations(page) == []
    open_reports(page, report("2026-01-01", BEFORE, "right.md"), report("2026-01-02", AFTER, "wrong.md"))
    page.locator(".worse summary").first.click()
    assert violations(page) == []
    open_view(page, "Service")
    expect(page.get_by_role("region", name="Traffic").locator("article").first).to_be_visible()
    assert violations(page) == []


def test_nothing_is_wider_than_the_window(page: Page, service: RunningService, page_store: str) -> None:
    add(service, page_store, {f"{'n' * 150}.md": f"# {'h' * 200}\n\n{'x' * 300} lake", "printing.md": PRINTING})
    search(page, page_store, "lake")
    page.get_by_role("button", name="Compare two settings").click()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(result(page, "Settings B").locator(".candidate").first).to_be_visible()
    open_reports(page, report("2026-01-01", BEFORE, "r" * 200), report("2026-01-02", AFTER, "w" * 200))
    page.locator(".worse summary").first.click()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for view in VIEWS:
            open_view(page, view)
            shown = page.locator("main:not([hidden])")
            expect(shown.locator("h2").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert shown.evaluate("it => it.scrollWidth") <= width


def test_a_page_that_is_opened_too_early_waits_for_the_service(page: Page) -> None:
    starting = {"error": {"message": "the retriever is loading", "code": "starting", "retryable": True}}
    page.route("**/v1/vector_stores?*", lambda route: route.fulfill(status=503, json=starting))
    page.reload()
    notice = page.get_by_text("The service is starting: the retriever is loading.")
    expect(notice).to_be_visible()
    page.unroute("**/v1/vector_stores?*")
    expect(notice).to_have_count(0)


CHANGED_TOO_EARLY = """
const add = addEventListener;
window.addEventListener = (name, ...more) => {
    if (name === "hashchange") history.replaceState(null, "", "#documents");
    return add(name, ...more);
};
"""
"""Changes the address just before the page listens for such changes."""


def test_an_address_that_changes_while_the_page_starts_is_shown(page: Page) -> None:
    page.add_init_script(CHANGED_TOO_EARLY)
    page.goto(page.url.split("#")[0])
    page.reload()
    expect(page.get_by_role("navigation", name="Views").locator("[aria-current]")).to_have_text("Documents")
