"""Answers that end too early, on the page at `/ui` in Chromium."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_web_page import DONE, QUESTION, answer_with, ask

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

HALF: tuple[tuple[str, dict[str, object]], ...] = (("sources", {"sources": []}), ("token", {"text": "Half of it"}))
ERROR: dict[str, object] = {"code": "dependency_unavailable", "message": "the engine died", "retryable": True}
SOURCE: dict[str, object] = {
    "index": 1, "file_id": "file-1", "filename": "axolotl.md", "text": "", "score": 0.5, "start": 0, "end": 19,
    "page": None, "pages": [], "rectangles": [], "heading": "", "header": "",
}  # fmt: skip
STREAM = """
    const stream = new TransformStream();
    const writer = stream.writable.getWriter();
    const send = window.fetch;
    window.fetch = (url, options) =>
      String(url).endsWith("/ask") ? Promise.resolve(new Response(stream.readable)) : send(url, options);
    const write = (name, data) =>
      writer.write(new TextEncoder().encode(`event: ${name}\\ndata: ${JSON.stringify(data)}\\n\\n`));
    window.writeToken = (text) => void write("token", { text });
    void write("sources", { sources: [] });
"""
"""Answers the next question with what `writeToken` is given."""
LOST = "The connection was lost before the answer was complete."


def test_an_error_keeps_the_text(page: Page) -> None:
    answer_with(page, *HALF, ("error", ERROR))
    assert_kept_and_asked_again(page, "the engine died")


def test_a_stream_without_an_end_keeps_the_text(page: Page) -> None:
    answer_with(page, *HALF)
    assert_kept_and_asked_again(page, LOST)


def assert_kept_and_asked_again(page: Page, reason: str) -> None:
    """The text stays with its mark, also after a reload, and the question can be asked again."""
    ask(page, QUESTION)
    for _ in range(2):
        expect(page.get_by_role("alert")).to_contain_text(f"Incomplete answer: {reason}")
        expect(page.locator(".turn > .answer")).to_have_text("Half of it")
        page.reload()
    page.unroute("**/ask")
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": "All of it"}), ("done", DONE))
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".turn")).to_have_class(re.compile("complete"))
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator(".turn > .answer")).to_have_text("All of it")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert_earlier_answer(page, "Half of it")


def assert_earlier_answer(page: Page, text: str) -> None:
    """It is out of the way, but can be read, with what became of it, also after a reload."""
    for _ in range(2):
        earlier = page.get_by_role("region", name="Earlier answer")
        expect(earlier).to_have_count(0)
        page.get_by_text("Earlier answers").click()
        expect(earlier).to_contain_text(text)
        expect(earlier).to_contain_text("Incomplete answer")
        page.reload()


def test_an_earlier_answer_is_shown_until_the_new_one_begins(page: Page) -> None:
    """Its citations open its own sources, and a new one that fails before its first word leaves it open."""
    source = {**SOURCE, "text": "It lives in a lake."}
    answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": "Half of it [1]"}), ("error", ERROR))
    ask(page, QUESTION)
    page.unroute("**/ask")
    page.evaluate(STREAM)
    page.get_by_role("button", name="Try again").click()
    earlier = page.get_by_role("region", name="Earlier answer")
    expect(earlier).to_contain_text("Half of it")
    earlier.get_by_role("button", name="Source 1", exact=True).click()
    expect(page.get_by_role("complementary", name="axolotl.md")).to_contain_text("It lives in a lake.")
    page.evaluate("writeToken('The whole of it.')")
    expect(page.locator(".turn > .answer")).to_have_text("The whole of it.")
    expect(earlier).to_have_count(0)
    page.reload()
    answer_with(page, ("error", ERROR))
    page.get_by_role("button", name="Ask again").click()
    expect(page.get_by_role("alert")).to_contain_text("No answer")
    expect(earlier).to_have_count(2)
    expect(earlier.first).to_contain_text("The whole of it.")


def test_events_that_the_page_does_not_know_are_ignored(page: Page) -> None:
    """A model's reasoning, what a later release sends, and whatever follows the end."""
    unknown: tuple[tuple[str, dict[str, object]], ...] = (("thinking", {"text": "Let me think"}), ("progress", {}))
    answer_with(page, *unknown, *HALF, *unknown, ("done", DONE), *unknown)
    ask(page, QUESTION)
    expect(page.locator(".turn")).to_have_class(re.compile("complete"))
    expect(page.locator(".answer")).to_have_text("Half of it")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".turn")).not_to_contain_text("Let me think")


def test_an_edited_question_replaces_the_last_one(page: Page) -> None:
    answer_with(page, *HALF, ("done", DONE))
    ask(page, "What is an axolotl?")
    ask(page, "Where does it live?")
    page.get_by_role("button", name="Edit question").click()
    expect(page.get_by_text("The question and its answer will be replaced.")).to_be_visible()
    with page.expect_request("**/ask") as asked:
        ask(page, "Where does it sleep?")
    history = json.loads(asked.value.post_data or "")["history"]
    assert [turn["content"] for turn in history] == ["What is an axolotl?", "Half of it"]
    expect(page.locator(".question")).to_have_text(["What is an axolotl?", "Where does it sleep?"])
    page.get_by_role("button", name="Edit question").click()
    page.get_by_role("button", name="Cancel").click()
    ask(page, "What does it eat?")
    expect(page.locator(".question")).to_have_count(3)


def test_a_growing_answer_keeps_the_elements_of_its_finished_paragraphs(page: Page) -> None:
    """A link that has the focus keeps it, although the text goes on."""
    page.evaluate(STREAM)
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.keyboard.press("Enter")
    page.evaluate("writeToken('[manual](https://pumps.example/)\\n\\nAnd ')")
    page.get_by_role("link", name="manual").focus()
    page.evaluate("writeToken('so on.')")
    expect(page.locator(".answer")).to_contain_text("And so on.")
    expect(page.get_by_role("link", name="manual")).to_be_focused()
