"""The view Why of the page at `/ui` in Chromium, and evaluation sets made of what it finds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from evals.harness.set_reader import read_set
from tests.e2e.conftest import AXOLOTL, PRINTING
from tests.e2e.running import RunningService
from tests.e2e.test_web_page import DONE, HOSTILE, HOSTILE_NAME, QUESTION, SENTENCE, answer_with, ask

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DOCUMENTS = {"axolotl.md": AXOLOTL, "printing.md": PRINTING}


def add(service: RunningService, store: str, files: Mapping[str, str]) -> None:
    service.ingest({name: text.encode() for name, text in files.items()}, vector_store=store)


def open_view(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()


def search(page: Page, store: str, question: str) -> None:
    open_view(page, "Why")
    view = page.locator(".why")
    view.get_by_label("Question", exact=True).fill(question)
    view.get_by_label("Vector store").select_option(store)
    view.get_by_role("button", name="Search", exact=True).click()
    expect(view.locator(".candidate").first).to_be_visible()


def result(page: Page, name: str = "Result") -> Locator:
    return page.get_by_role("region", name=name, exact=True)


# Why


def test_why_shows_what_a_turn_was_answered_from(page: Page, service: RunningService, page_store: str) -> None:
    add(service, page_store, DOCUMENTS)
    page.locator(".options summary").click()
    page.locator(".options").get_by_label("Passages (top k)").fill("1")
    page.locator(".options").get_by_label("Passages (top k)").press("Tab")
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": "In a lake."}), ("done", DONE))
    ask(page, QUESTION)
    page.get_by_role("button", name="Why this answer?").click()
    expect(page.locator(".why").get_by_label("Question", exact=True)).to_have_value(QUESTION)
    first = result(page).locator(".candidate").first
    expect(first).to_contain_text("axolotl.md")
    expect(first).to_contain_text("In the prompt as source 1")
    expect(result(page)).to_contain_text(re.compile("^.*Candidates in the prompt: 1 of [0-9]+", re.S))
    assert "top_k=1" in page.url
    expect(page.get_by_role("heading", name="Why these passages?")).to_be_focused()


def test_a_follow_up_is_searched_for_in_its_conversation(page: Page, service: RunningService, page_store: str) -> None:
    add(service, page_store, DOCUMENTS)
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": "It is a salamander."}), ("done", DONE))
    ask(page, "What is an axolotl?")
    ask(page, "Where does it live?")
    page.get_by_role("button", name="Why this answer?").last.click()
    expect(page.locator(".why .notice")).to_contain_text("2 earlier messages")
    expect(result(page)).to_contain_text("What is an axolotl?\nWhere does it live?", use_inner_text=True)
    page.get_by_role("button", name="Search without them").click()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(result(page).locator(".facts")).not_to_contain_text("What is an axolotl?")


def test_each_candidate_has_its_ranks_and_the_prompt_is_shown(
    page: Page, service: RunningService, page_store: str
) -> None:
    add(service, page_store, {**DOCUMENTS, "copy.md": AXOLOTL})
    search(page, page_store, QUESTION)
    first = result(page).locator(".candidate").first
    for path in ("dense", "keyword"):
        expect(first.locator(".scores div").filter(has_text=path)).to_contain_text(re.compile("#[12]"))
    expect(result(page)).to_contain_text("weighted scores: dense 1, keyword 1.25")
    expect(result(page).locator(".legend")).to_contain_text("Search")
    expect(result(page).locator(".candidate").filter(has_text="Left out: the same as hit 1")).to_have_count(1)
    prompt = result(page).locator(".prompt")
    expect(prompt.locator("summary")).to_contain_text(re.compile(r"[\d,]+ of [\d,]+ tokens"))
    prompt.locator("summary").click()
    expect(prompt.get_by_role("group", name="User")).to_contain_text(SENTENCE.split(" near ")[0])


def test_the_prompt_of_a_quoted_answer_has_only_its_quotes(
    page: Page, service: RunningService, page_store: str
) -> None:
    add(service, page_store, DOCUMENTS)
    quoted = ("done", {**DONE, "style": "quoted"})
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": SENTENCE}), quoted)
    ask(page, QUESTION)
    page.get_by_role("button", name="Why this answer?").click()
    expect(page.locator(".why").get_by_label("Answer style")).to_have_value("quoted")
    prompt = result(page).locator(".prompt")
    expect(prompt.locator("summary")).to_contain_text(
        re.compile(r"Prompt of a quoted answer\s+[\d,]+ of [\d,]+ tokens")
    )
    prompt.locator("summary").click()
    expect(prompt.get_by_role("group")).to_have_count(1)
    expect(prompt.get_by_role("group", name="User")).to_contain_text(f"{SENTENCE} [1]")


def test_two_settings_stand_side_by_side_and_the_link_holds_both(
    page: Page, service: RunningService, page_store: str
) -> None:
    add(service, page_store, DOCUMENTS)
    search(page, page_store, QUESTION)
    page.get_by_role("button", name="Compare two settings").click()
    for name, mode, top_k in (("Settings A", "dense", "1"), ("Settings B", "keyword", "2")):
        settings = page.get_by_role("group", name=name)
        settings.get_by_label("Search paths").select_option(mode)
        settings.get_by_label("Passages (top k)").fill(top_k)
    page.get_by_role("button", name="Search", exact=True).click()

    def check() -> None:
        expect(result(page, "Settings A")).to_contain_text("none, one path: dense")
        expect(result(page, "Settings A").locator(".candidate.in")).to_have_count(1)
        expect(result(page, "Settings B")).to_contain_text("none, one path: keyword")
        expect(result(page, "Settings B").locator(".candidate").first).to_contain_text("Settings A: hit 1")

    check()
    page.reload()
    check()
    assert "compare=1" in page.url


def test_a_search_that_is_refused_says_why(page: Page, service: RunningService, page_store: str) -> None:
    page.goto(f"{page.url.split('#')[0]}#why?q=lakes&store={page_store}&filters=nonsense&unknown=1")
    expect(page.locator(".result").get_by_role("alert")).to_contain_text("not valid JSON")
    page.locator(".why textarea").fill('{"type": "near"}')
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".result").get_by_role("alert")).to_contain_text("filters")


def test_a_hostile_document_runs_and_loads_nothing(page: Page, service: RunningService, page_store: str) -> None:
    add(service, page_store, {HOSTILE_NAME: HOSTILE})
    search(page, page_store, "When was the Golden Bridge opened?")
    candidate = result(page).locator(".candidate").first
    candidate.locator("summary").click()
    expect(candidate.locator(".text")).to_contain_text("evil.example")
    result(page).locator(".prompt summary").click()
    candidate.get_by_role("button", name="This is the right passage").click()
    open_view(page, "Evaluation")
    expect(page.locator(".entries select")).to_have_value(HOSTILE_NAME)
    assert page.evaluate("typeof hacked") == "undefined"


# Evaluation sets


def test_the_right_passage_is_noted_in_the_chat(page: Page) -> None:
    passage = {"index": 1, "file_id": "f", "filename": "axolotl.md", "text": SENTENCE, "start": 0, "end": len(SENTENCE)}
    source = {**passage, "heading": "", "page": None, "header": "", "score": 1.0}
    answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": "In a lake [1]."}), ("done", DONE))
    ask(page, QUESTION)
    page.locator(".answer").get_by_role("button", name="Source 1").click()
    page.get_by_role("button", name="This is the right passage").click()
    page.get_by_role("complementary", name="axolotl.md").get_by_role("link", name="Evaluation").click()
    expect(page.locator(".entries li")).to_have_count(1)
    expect(page.locator(".entries select")).to_have_value("axolotl.md")


def test_a_set_made_of_right_passages_can_be_evaluated(
    page: Page, service: RunningService, page_store: str, tmp_path: Path
) -> None:
    add(service, page_store, DOCUMENTS)
    answer_with(
        page, ("sources", {"sources": []}), ("token", {"text": "?"}), ("done", {**DONE, "finish_reason": "no_sources"})
    )
    ask(page, "Who won?")
    search(page, page_store, QUESTION)
    result(page).locator(".candidate").first.get_by_role("button", name="This is the right passage").click()
    open_view(page, "Evaluation")
    page.get_by_role("button", name="Add its questions").click()
    expect(page.locator(".entries li")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download qa.jsonl").click()
    download.value.save_as(tmp_path / "qa.jsonl")
    (tmp_path / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (tmp_path / "docs" / name).write_text(text, encoding="utf-8")
    questions = read_set(tmp_path).questions
    assert [(each.text, each.gold_doc, each.unanswerable) for each in questions] == [
        (QUESTION, "axolotl.md", False),
        ("Who won?", None, True),
    ]


def test_the_document_that_the_reader_chose_is_kept_when_a_conversation_is_added(page: Page) -> None:
    documents = page.evaluate(
        """async () => {
            const set = await import("./ui/js/evaluation/eval_set.js");
            const sources = [{ index: 1, filename: "cited.md" }];
            const turn = { state: "complete", answer: "x", sources, citations: [{ index: 1 }] };
            set.noteAnswer("Known?", [], "chosen.md", ["cited.md", "chosen.md"]);
            set.noteConversation({ turns: ["Known?", "New?"].map((question) => ({ ...turn, question })) });
            return JSON.parse(localStorage.getItem("rag.eval_set")).map((each) => each.document);
        }"""
    )
    assert documents == ["chosen.md", "cited.md"]
