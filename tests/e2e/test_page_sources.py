"""Where the sources of an answer stand, links to passages, options and export, on the page at `/ui` in Chromium."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.running import RunningService
from tests.e2e.test_web_page import (  # fixtures are found by their names
    DONE,
    EVIL,
    QUESTION,
    add_documents,
    answer_with,
    ask,
    context,
    page,
    store,
    toggle_options,
)
from tests.support.browser import violations
from tests.support.files.placed_pdf import Placed, placed_pdf

__all__ = ["context", "page", "store"]
LIGHTHOUSE = "The lighthouse of Pharos was 103 metres high."
STATUE = "The statue of Zeus at Olympia was made of ivory."
BOOK = placed_pdf(
    [
        [Placed(72, 700, "This page is about statues."), Placed(72, 680, STATUE)],
        [Placed(72, 500, LIGHTHOUSE, 12), Placed(72, 470, "It was built on an island.", 12)],
    ]
)
SIZES = """# Sizes

| Thing | Height |
|---|---|
| Pharos lighthouse | 103 metres |
| Colossus of Rhodes | 33 metres |
"""
INK_INSIDE = """rectangle => {
    const canvas = document.querySelector(".sheet canvas");
    const scale = canvas.width / document.querySelector(".sheet svg").viewBox.baseVal.width;
    const { x, y, width, height } = rectangle.getBBox();
    const data = canvas.getContext("2d").getImageData(x * scale, y * scale, width * scale, height * scale).data;
    return data.filter((value, at) => at % 4 === 0 && value < 100).length / (data.length / 4);
}"""
"""The share of dark pixels on the image of the page below a mark."""


def test_a_pdf_opens_on_its_page_with_the_cited_words_marked(page: Page, store: str) -> None:
    add_documents(page, store, {"wonders.pdf": BOOK})
    ask(page, "How high was the lighthouse of Pharos?")
    page.locator(".cite").first.click()
    panel = page.get_by_role("complementary", name="wonders.pdf")
    expect(panel.get_by_text("page 2 of 2")).to_be_visible()
    mark = panel.locator(".sheet .quote")
    expect(mark).to_have_count(1)
    box = mark.evaluate("({x, y, width, height}) => [x, y, width, height].map(side => side.baseVal.value)")
    assert box[0] == pytest.approx(72, abs=3)
    assert box[1] < 792 - 500 < box[1] + box[3] + 1
    assert mark.evaluate(INK_INSIDE) > 0.05
    panel.get_by_role("button", name="Previous page").click()
    expect(panel.get_by_role("img", name="Page 1 of wonders.pdf")).to_be_visible()
    expect(mark).to_have_count(0)
    panel.get_by_role("button", name="Text", exact=True).click()
    expect(panel.locator("mark")).to_have_text(LIGHTHOUSE)


def test_chinese_without_embedded_fonts_is_drawn(page: Page, store: str) -> None:
    """Such a PDF needs a character map of pdf.js; whether there are glyphs for it depends on the browser's fonts."""
    requested: list[str] = []
    page.on("response", lambda response: requested.append(f"{response.status} {response.url}"))
    add_documents(page, store, {"tower.pdf": placed_pdf([[Placed(72, 700, "东京塔的高度是333米。", 14)]])})
    ask(page, "东京塔有多高？")
    page.locator(".source").first.click()
    expect(page.locator(".sheet canvas")).to_be_visible()
    assert any(each.startswith("200") and each.endswith("UniGB-UCS2-H.bcmap") for each in requested)
    expect(page.locator(".sheet .passage")).to_have_count(1)


def test_a_link_to_a_passage_opens_the_same_place(page: Page, service: RunningService, store: str) -> None:
    add_documents(page, store, {"wonders.pdf": BOOK, "sizes.md": SIZES})
    ask(page, "How high was the lighthouse of Pharos?")
    page.locator(".source").filter(has_text="wonders.pdf").click()
    link = page.get_by_role("link", name="Copy link").get_attribute("href")
    assert link is not None
    assert link.startswith(f"{service.url}/ui#source/")
    page.goto(link)
    linked = page.get_by_role("region", name="Linked passage")
    expect(linked.get_by_role("heading", name="wonders.pdf")).to_be_visible()
    expect(linked.get_by_text("page 2 of 2")).to_be_visible()
    expect(linked.locator(".sheet rect").first).to_be_visible()
    linked.get_by_role("button", name="Text", exact=True).click()
    expect(linked.get_by_role("group", name="Passage")).to_contain_text(LIGHTHOUSE)
    page.goto(f"{service.url}/ui#source/{store}/file-unknown/0-10")
    expect(page.get_by_role("alert")).to_contain_text("no longer in the vector store")


def test_the_rows_of_a_table_are_shown_as_a_table(page: Page, store: str) -> None:
    add_documents(page, store, {"sizes.md": SIZES})
    ask(page, "How high was the Pharos lighthouse?")
    page.locator(".cite").first.click()
    passage = page.get_by_role("group", name="Passage")
    expect(passage.get_by_role("row").filter(has_text="Pharos lighthouse").locator("mark")).to_have_text(
        ["Pharos lighthouse", "103 metres"]
    )
    expect(passage.get_by_role("columnheader")).to_have_text(["Thing", "Height"])


def test_filters_and_the_adapter_are_sent(page: Page) -> None:
    sent: list[Any] = []

    def note(route: Route) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(content_type="text/event-stream", body=f"event: done\ndata: {json.dumps(DONE)}\n\n")

    page.route("**/ask", note)
    toggle_options(page)
    options = page.locator(".options")
    options.get_by_label("Vector store").select_option(label="default")
    for key, comparison, value in (("topic", "=", "guide"), ("year", "≥", "2020"), ("lang", "one of", 'en, "7"')):
        options.get_by_role("button", name="Add filter").click()
        options.get_by_label("Attribute").last.fill(key)
        options.get_by_label("Comparison").last.select_option(label=comparison)
        options.get_by_label("Value").last.fill(value)
        options.get_by_label("Value").last.blur()
    options.get_by_role("button", name="Remove filter").first.click()
    options.locator("label").filter(has_text=re.compile("^Model")).locator("select").select_option("tuned")
    ask(page, QUESTION)
    assert sent[0]["vector_store"] == "default"
    assert sent[0]["model"] == "tuned"
    assert sent[0]["filters"] == {
        "type": "and",
        "filters": [
            {"type": "gte", "key": "year", "value": 2020},
            {"type": "in", "key": "lang", "value": ["en", "7"]},
        ],
    }


def a_source(index: int) -> dict[str, object]:
    place: dict[str, object] = {
        "file_id": "file-1",
        "filename": "a.md",
        "page": None,
        "pages": [],
        "rectangles": [],
        "heading": "",
    }
    return {"index": index, "text": "x", "score": 0.5, "start": 0, "end": 1, "header": "", **place}


def test_weak_citations_look_different(page: Page) -> None:
    citations = [{"index": 1, "start": 6, "end": 9, "weak": False}, {"index": 1, "start": 16, "end": 19, "weak": True}]
    done = {**DONE, "citations": citations, "weakly_supported": 1}
    answer_with(
        page, ("sources", {"sources": [a_source(1)]}), ("token", {"text": "Right [1]. Wrong [1]."}), ("done", done)
    )
    ask(page, QUESTION)
    expect(page.get_by_role("button", name="Source 1", exact=True)).to_have_count(1)
    expect(page.get_by_role("button", name="Source 1, weakly supported")).to_have_count(1)
    expect(page.get_by_text("1 citation is only weakly supported")).to_be_visible()


def test_a_conversation_is_exported(page: Page) -> None:
    answer_with(page, ("sources", {"sources": [a_source(1)]}), ("token", {"text": "Yes [1]."}), ("done", DONE))
    ask(page, QUESTION)
    texts = {}
    for kind in ("Markdown", "JSON"):
        page.get_by_role("button", name=f"Export “{QUESTION}”").click()
        with page.expect_download() as download:
            page.get_by_role("dialog").get_by_role("button", name=kind).click()
        texts[kind] = download.value.path().read_text(encoding="utf-8")
    assert texts["Markdown"] == f"# {QUESTION}\n\n## {QUESTION}\n\nYes [1].\n\n- [1] a.md\n"
    (turn,) = json.loads(texts["JSON"])["turns"]
    assert (turn["question"], turn["answer"], turn["sources"]) == (QUESTION, "Yes [1].", [a_source(1)])


def test_copying_an_answer_keeps_its_citations(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer_with(page, ("sources", {"sources": [a_source(1)]}), ("token", {"text": "Yes [1]."}), ("done", DONE))
    ask(page, QUESTION)
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "Yes [1].\n\n- [1] a.md"


def test_a_hostile_passage_runs_and_loads_nothing(page: Page, store: str) -> None:
    """The fixture fails the test if the page asks another host for anything, or shows a dialog."""
    rows = (
        f"| a <img src={EVIL}/x onerror=hacked=1> | <a href='javascript:hacked=1'>b</a> |\n|---|---|\n| <b>c</b> | d |"
    )
    text = f"<script>hacked=1</script>\n\n{rows}\n\n[go](javascript:hacked=1) ![i]({EVIL}/y)\n\n<svg/onload=hacked=1>"
    source = {**a_source(1), "text": text, "end": len(text), "heading": "<img src=x onerror=hacked=1>"}
    answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": "Yes [1]."}), ("done", DONE))
    ask(page, QUESTION)
    page.get_by_role("button", name="Source 1", exact=True).click()
    passage = page.get_by_role("group", name="Passage")
    expect(passage.get_by_role("cell", name="d")).to_be_visible()
    expect(passage).to_contain_text("onerror=hacked=1")
    expect(passage.locator("img, script, svg, iframe, button, [onclick], a[href^=javascript]")).to_have_count(0)
    assert page.evaluate("typeof hacked") == "undefined"


QUOTES = (
    ("- First point\n- Second **bold** point\n", "- Second **bold** point", ["Second ", "bold", " point"]),
    ("See [the guide](https://a.example/x) now.", "[the guide](https://a.example/x)", ["the guide"]),
    ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n", "| 3 | 4 |", ["3", "4"]),
    ("```\nrun --all\n```\n", "run --all", ["run --all"]),
    ("Do:\n\n```sh\nrun\n```\n\nDone.", "```sh\nrun\n```\n\nDone.", ["run", "Done."]),
    ("# Title\n\nZwölf 𝛼𝛽 Boxkämpfer", "𝛼𝛽", ["𝛼𝛽"]),
    ("A link to [x](https://a.example/hidden) here", "hidden", ["hidden"]),
)
"""The text of a passage, what an answer quotes of it, and the words that are marked."""


def test_the_quoted_words_of_markdown_are_marked(page: Page) -> None:
    for text, quote, marked in QUOTES:
        start = text.index(quote)
        source = {**a_source(1), "text": text, "end": len(text)}
        place = {"start": 0, "end": 3, "source_start": start, "source_end": start + len(quote), "page": None}
        citation = {"index": 1, "start": 4, "end": 7, "quote": {**place, "rectangles": []}}
        done = {**DONE, "citations": [citation]}
        answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": "Yes [1]."}), ("done", done))
        ask(page, QUESTION)
        page.get_by_role("button", name="Source 1", exact=True).last.click()
        expect(page.get_by_role("group", name="Passage").locator("mark")).to_have_text(marked)


@pytest.mark.long
def test_axe_finds_no_violations_on_a_pdf_and_a_linked_passage(page: Page, store: str) -> None:
    add_documents(page, store, {"wonders.pdf": BOOK})
    ask(page, "How high was the lighthouse of Pharos?")
    toggle_options(page)
    page.get_by_role("button", name="Add filter").click()
    page.locator(".source").first.click()
    expect(page.locator(".sheet canvas")).to_be_visible()
    assert violations(page) == []
    link = page.get_by_role("link", name="Copy link").get_attribute("href")
    assert link is not None
    page.goto(link)
    expect(page.locator(".source-page canvas")).to_be_visible()
    assert violations(page) == []
