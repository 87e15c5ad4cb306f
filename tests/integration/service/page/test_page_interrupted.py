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
        expect(page.locator(".answer")).to_have_text("Half of it")
        page.reload()
    page.unroute("**/ask")
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": "All of it"}), ("done", DONE))
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".turn")).to_have_class(re.compile("complete"))
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator(".answer")).to_have_text("All of it")
    expect(page.get_by_role("alert")).to_have_count(0)


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
