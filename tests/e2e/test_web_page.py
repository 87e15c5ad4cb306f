"""The page at `/ui` in Chromium, on the real service, as a reader uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.e2e.conftest import AXOLOTL, PRINTING
from tests.e2e.running import ENDLESS_TOKENS, LIMIT_S, RunningService
from tests.support.browser import WIDTHS, browser_context, opened_page, require_browser, violations

QUESTION = "Which lake is the axolotl from?"
SENTENCE = "The axolotl is a salamander from Lake Xochimilco near Mexico City."
DONE: dict[str, object] = {"finish_reason": "stop", "citations": []}
ENDLESS: dict[str, object] = {
    "structured_outputs": {"grammar": "root ::= [a-z ] root"},
    "temperature": 2,
    "max_tokens": ENDLESS_TOKENS - 1000,
}
"""Fields of an answer that has no end and does not repeat itself."""
EVIL = "https://evil.example"
HOSTILE_NAME = "<img src=x onerror=hacked=1>.md"
HOSTILE = f"""# Bridges <script>hacked = 1</script>

The <b onclick="hacked=1">Golden Bridge</b> was opened in 1937 <img src="{EVIL}/a.png" onerror="hacked = 1"> and is red.
![pixel]({EVIL}/b.png) [details](javascript:hacked=1) <iframe src="{EVIL}/c"></iframe> <svg onload="hacked=1"></svg>
"""


@pytest.fixture(scope="module")
def context() -> Iterator[BrowserContext]:
    require_browser()
    with browser_context(LIMIT_S) as opened:
        yield opened


@pytest.fixture
def store(service: RunningService) -> Iterator[str]:
    """The name of an empty vector store, which the page offers beside `default`."""
    created = service.post("/v1/vector_stores", {"name": "page"}).json()
    yield "page"
    files = service.get(f"/v1/vector_stores/{created['id']}/files").json()["data"]
    httpx.delete(f"{service.url}/v1/vector_stores/{created['id']}", timeout=LIMIT_S)
    for file in files:
        httpx.delete(f"{service.url}/v1/files/{file['id']}", timeout=LIMIT_S)


@pytest.fixture
def page(context: BrowserContext, service: RunningService, store: str) -> Iterator[Page]:
    """The page with the empty vector store chosen."""
    store_id = service.get(f"/v1/vector_stores/{store}").json()["id"]
    with opened_page(context, service.url, {"store": store_id}) as opened:
        yield opened


def toggle_options(page: Page) -> None:
    page.locator(".options summary").click()


def open_documents(page: Page, store: str) -> None:
    page.get_by_role("link", name="Documents", exact=True).click()
    page.locator(".documents").get_by_label("Vector store").select_option(label=store)


def upload(page: Page, files: Mapping[str, str | bytes]) -> None:
    payloads: Any = [
        {"name": name, "mimeType": "text/markdown", "buffer": content.encode() if isinstance(content, str) else content}
        for name, content in files.items()
    ]
    page.locator("input[type=file]").first.set_input_files(payloads)
    expect(page.get_by_text("All uploads have finished.")).to_be_attached()


def add_documents(page: Page, store: str, files: Mapping[str, str | bytes]) -> None:
    open_documents(page, store)
    upload(page, files)
    page.get_by_role("link", name="Chat").click()


def ask(page: Page, question: str) -> None:
    page.get_by_label("Question", exact=True).fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".turn").last).to_have_class(re.compile("complete|failed|stopped"))


def answer_with(page: Page, *events: tuple[str, dict[str, object]]) -> None:
    """Answer the page's next questions with these events instead of the service's."""
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    page.route("**/ask", lambda route: route.fulfill(content_type="text/event-stream", body=body))


def ask_endlessly(page: Page, service: RunningService) -> None:
    """Ask a question whose answer has no end, and wait until the engine is working on it."""

    def make_endless(route: Route) -> None:
        route.continue_(post_data=json.dumps({**(route.request.post_data_json or {}), **ENDLESS}))

    page.route("**/ask", make_endless)
    page.get_by_label("Question", exact=True).fill(QUESTION)
    with page.expect_response("**/ask"):  # Playwright runs `make_endless` only while it is waiting for something
        page.keyboard.press("Enter")
    service.wait_until_working()


def test_a_citation_opens_its_passage_with_the_quoted_words_highlighted(page: Page, store: str) -> None:
    add_documents(page, store, {"animals/axolotl.md": AXOLOTL, "printing.md": PRINTING})
    ask(page, QUESTION)
    turn = page.locator(".turn")
    expect(turn).to_have_class(re.compile("complete"))
    expect(turn.locator(".answer")).to_contain_text(SENTENCE)
    citation = turn.get_by_role("button", name="Source 1", exact=True).first
    citation.hover()
    expect(page.get_by_role("tooltip").locator("mark").first).to_contain_text("Lake Xochimilco")
    citation.click()
    panel = page.get_by_role("complementary", name="animals/axolotl.md")
    expect(panel.locator("mark").first).to_have_text(SENTENCE)
    panel.get_by_role("button", name="Show the text around it").click()
    expect(panel.get_by_role("group", name="Passage").get_by_role("heading", name="Axolotl")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    page.reload()
    expect(page.locator(".turn .answer")).to_contain_text(SENTENCE)


def test_a_question_about_something_else_looks_different(page: Page, store: str) -> None:
    add_documents(page, store, {"axolotl.md": AXOLOTL})
    ask(page, "Who won the football world cup of 2014?")
    expect(page.get_by_text("Nothing found", exact=True)).to_be_visible()


def test_documents_are_uploaded_listed_and_deleted(page: Page, store: str) -> None:
    open_documents(page, store)
    expect(page.get_by_text("No documents yet.", exact=True)).to_be_visible()
    upload(page, {"printing.md": PRINTING, "broken.pdf": "%PDF-1.7 and nothing else"})
    uploads = page.get_by_role("list", name="Uploads").get_by_role("listitem")
    expect(uploads.filter(has_text="printing.md")).to_contain_text("Added")
    expect(uploads.filter(has_text="broken.pdf")).to_contain_text("Failed")
    expect(uploads.filter(has_text="broken.pdf").locator(".problem")).not_to_be_empty()
    row = page.get_by_role("row").filter(has_text="printing.md")
    expect(row).to_contain_text("Ready")
    row.get_by_role("button", name="Delete printing.md").click()
    dialog = page.get_by_role("dialog", name="Delete this document?")
    expect(dialog).to_contain_text("printing.md")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(row).to_have_count(0)
    page.reload()
    open_documents(page, store)
    expect(page.get_by_role("row").filter(has_text="printing.md")).to_have_count(0)


def test_dropped_files_are_uploaded(page: Page, store: str) -> None:
    open_documents(page, store)
    dropped = page.evaluate_handle(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], "dropped.md", { type: "text/markdown" }));
            return data;
        }""",
        PRINTING,
    )
    page.dispatch_event(".uploader", "drop", {"dataTransfer": dropped})
    expect(page.get_by_role("row").filter(has_text="dropped.md")).to_contain_text("Ready")


def test_a_hostile_document_runs_and_loads_nothing(page: Page, store: str) -> None:
    """The fixture fails the test if the page asks another host for anything, or shows a dialog."""
    add_documents(page, store, {HOSTILE_NAME: HOSTILE})
    ask(page, "When was the Golden Bridge opened?")
    expect(page.locator(".answer")).to_contain_text("1937")
    page.locator(".source").first.click()
    page.get_by_role("button", name="Show the text around it").click()
    expect(page.get_by_role("group", name="Passage")).to_contain_text("evil.example")
    open_documents(page, store)
    expect(page.get_by_role("row").filter(has_text=HOSTILE_NAME)).to_be_visible()
    assert page.evaluate("typeof hacked") == "undefined"


def test_a_hostile_answer_runs_and_loads_nothing(page: Page) -> None:
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": HOSTILE}), ("done", DONE))
    ask(page, "Anything")
    answer = page.locator(".answer")
    expect(answer).to_contain_text("<script>")
    expect(answer.locator("img, script, svg, iframe, b, a[href^=javascript]")).to_have_count(0)
    page.get_by_text("details").click()
    assert page.evaluate("typeof hacked") == "undefined"


def test_an_answer_that_fails_keeps_its_text_and_can_be_asked_again(page: Page, store: str) -> None:
    error = {"code": "dependency_unavailable", "message": "the engine died", "retryable": True}
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": "Half of it"}), ("error", error))
    ask(page, QUESTION)
    expect(page.get_by_role("alert")).to_contain_text("Incomplete answer: the engine died")
    expect(page.locator(".answer")).to_have_text("Half of it")
    page.unroute("**/ask")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".turn")).to_have_class(re.compile("complete"))
    expect(page.locator(".turn")).to_have_count(1)


def test_stop_stops_the_engine(page: Page, service: RunningService, store: str) -> None:
    add_documents(page, store, {"axolotl.md": AXOLOTL})
    ask_endlessly(page, service)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped: this answer is incomplete.")).to_be_visible()
    service.wait_until_idle()


def test_a_key_is_asked_for_and_sent(page: Page) -> None:
    sent: list[str | None] = []

    def need_key(route: Route) -> None:
        sent.append(route.request.headers.get("authorization"))
        error = {"error": {"message": "no key", "code": "unauthorized"}}
        if sent[-1] is None:
            route.fulfill(status=401, json=error)
        else:
            route.continue_()

    page.route("**/v1/vector_stores?*", need_key)
    page.reload()
    page.get_by_label("This service needs an API key.").fill("sk-secret")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("This service needs an API key.")).to_have_count(0)
    assert sent[-1] == "Bearer sk-secret"


def test_axe_finds_no_violations(page: Page, store: str) -> None:
    assert violations(page) == []
    add_documents(page, store, {"axolotl.md": AXOLOTL})
    ask(page, QUESTION)
    page.get_by_role("button", name="Source 1", exact=True).first.click()
    toggle_options(page)
    assert violations(page) == []
    open_documents(page, store)
    page.get_by_role("button", name="Delete axolotl.md").click()
    assert violations(page) == []


def test_nothing_is_wider_than_the_window(page: Page) -> None:
    table = f"| a | b |\n|---|---|\n| {'y' * 200} | z |"
    text = f"A long word: {'x' * 300}\n\n{table}\n\n```\n{'z' * 300}\n```"
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": text}), ("done", DONE))
    ask(page, "w" * 300)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for view in ("Documents", "Chat"):
            page.get_by_role("link", name=view, exact=True).click()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (
            page.evaluate("Math.max(...[...document.querySelectorAll('.turn > *')].map(e => e.offsetWidth))") <= width
        )
