"""Answers that end too early, on the page at `/ui` in Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_web_page import DONE, QUESTION, answer_with, ask

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

HALF: tuple[tuple[str, dict[str, object]], ...] = (("sources", {"sources": []}), ("token", {"text": "Half of it"}))
ERROR: dict[str, object] = {"code": "dependency_unavailable", "message": "the engine died", "retryable": True}
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
        expect(page.get_by_role("alert")).to_contain_text(f"Incomplete answer. {reason}")
        expect(page.locator(".answer")).to_have_text("Half of it")
        page.reload()
    page.unroute("**/ask")
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": "All of it"}), ("done", DONE))
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".turn")).to_have_class(re.compile("complete"))
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator(".answer")).to_have_text("All of it")
    expect(page.get_by_role("alert")).to_have_count(0)
