"""The page at `/ui` in Chromium for readers of other languages and scripts, and for those who use the keyboard."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_web_page import DONE, answer_with, ask, open_documents
from tests.integration.service.page.test_page_documents import RUNNING
from tests.integration.service.page.test_page_views import VIEWS
from tests.support.browser import WIDTHS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ARABIC = "يعيش الأكسولوتل في بحيرة زوتشيميلكو"
ARABIC_NAME = "دليل الأكسولوتل (2024).md"
CHINESE = "美西钝口螈生活在墨西哥城附近的霍奇米尔科湖"
JAPANESE = "ウーパールーパーはメキシコの湖にすんでいます"
IN_CHINESE = "Object.defineProperty(navigator, 'languages', { value: ['zh-CN'] })"
ENGLISH = "The axolotl lives in a lake"
DIRECTION = "it => getComputedStyle(it).direction"
ENDS_AT_THE_RIGHT = """it => {
    const range = document.createRange();
    range.selectNodeContents(it);
    const [text, box] = [range.getBoundingClientRect(), it.getBoundingClientRect()];
    return box.right - text.right < text.left - box.left;
}"""
"""Whether a text that is shorter than its line stands at the right of it."""


PROGRESS = {**cast(dict[str, object], RUNNING["progress"]), "step": "reading guide.pdf"}
A_FILE: dict[str, object] = {
    "id": "file-1", "filename": "a.xlsx", "status": "completed", "chunks": 3, "bytes": 10, "created_at": 0,
    "last_error": None,
    "warnings": ["2 pictures were not read in the sheet 'Prices'", "a.html: 1 video was not read", "something new"],
    "warning_details": [
        {"code": "pictures", "values": {"count": 2, "place": "sheet", "name": "Prices"}, "part": ""},
        {"code": "videos", "values": {"count": 1}, "part": "a.html"},
        {"code": "", "values": {}, "part": ""},
    ],
}  # fmt: skip


def a_source(index: int, filename: str, text: str) -> dict[str, object]:
    place: dict[str, object] = {"page": None, "pages": [], "rectangles": [], "heading": "", "header": ""}
    passage = {"index": index, "file_id": f"file-{index}", "filename": filename, "text": text}
    return {**passage, **place, "score": 0.5, "start": 0, "end": len(text)}


def test_each_text_has_the_direction_and_the_language_of_its_script(page: Page) -> None:
    answer = f"{ARABIC} [1].\n\n{ENGLISH} [2].\n\n```\nrun --all\n```"
    sources = [
        a_source(1, ARABIC_NAME, f"{ARABIC}\n\n{ENGLISH}"),
        a_source(2, f"{CHINESE}.txt", f"{ENGLISH}\n{ARABIC}"),
    ]
    answer_with(page, ("sources", {"sources": sources}), ("token", {"text": answer}), ("done", DONE))
    ask(page, ARABIC)
    assert page.locator(".question").evaluate(DIRECTION) == "rtl"
    expect(page.locator(".answer")).to_have_attribute("lang", "ar")
    paragraphs = page.locator(".answer p")
    assert [paragraphs.nth(place).evaluate(DIRECTION) for place in range(2)] == ["rtl", "ltr"]
    assert paragraphs.first.evaluate(ENDS_AT_THE_RIGHT)
    assert page.locator(".answer pre").evaluate(DIRECTION) == "ltr"
    names = page.locator(".source bdi:first-of-type")
    assert [names.nth(place).evaluate(DIRECTION) for place in range(2)] == ["rtl", "ltr"]
    expect(names.last).to_have_attribute("lang", "zh")
    page.locator(".source").first.click()
    expect(page.get_by_role("group", name="Passage")).to_have_css("direction", "rtl")  # its bar is at the right
    passage = page.get_by_role("group", name="Passage").locator("p")
    assert [passage.nth(place).evaluate(DIRECTION) for place in range(2)] == ["rtl", "ltr"]
    page.get_by_role("button", name="Next source").click()
    expect(page.locator(".panel .text")).to_have_css("unicode-bidi", "plaintext")


def test_cited_sentences_of_both_directions_in_a_paragraph_are_kept_apart(page: Page) -> None:
    """A full stop of an English sentence would otherwise stand before it, and its mark beside another one."""
    sources = [a_source(1, ARABIC_NAME, ARABIC), a_source(2, "axolotl.md", ENGLISH)]
    text = f"{ARABIC}. [1] {ENGLISH}. [2] *It* eats worms. [2]\n\n{ENGLISH}. [2]"
    answer_with(page, ("sources", {"sources": sources}), ("token", {"text": text}), ("done", DONE))
    ask(page, ARABIC)
    paragraphs = page.locator(".answer p")
    assert paragraphs.first.evaluate(DIRECTION) == "rtl"
    sentences = paragraphs.first.locator("bdi")
    expect(sentences).to_have_text([f"{ARABIC}.", f"{ENGLISH}.", "It eats worms."])
    assert [sentences.nth(place).evaluate(DIRECTION) for place in range(3)] == ["rtl", "ltr", "ltr"]
    expect(paragraphs.first.get_by_role("button")).to_have_text(["1", "2", "2"])
    expect(paragraphs.last.locator("bdi")).to_have_count(0)


def test_lists_keep_their_numbers_and_columns_their_sides(page: Page) -> None:
    """In answers and in passages."""
    text = "3. three\n4. four\n\n| A | B |\n|---|--:|\n| 1 | 2 |"
    source = a_source(1, "list.md", text)
    answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": text}), ("done", DONE))
    ask(page, "Which?")
    page.locator(".source").click()
    for box in (page.locator(".answer"), page.get_by_role("group", name="Passage")):
        expect(box.locator("ol")).to_have_attribute("start", "3")
        expect(box.locator("td")).to_have_count(2)
        expect(box.locator("td").first).to_have_css("text-align", "start")
        expect(box.locator("td").last).to_have_css("text-align", "right")


def test_what_the_service_says_in_english_is_translated_by_its_code(page: Page) -> None:
    """A warning that was stored without a code, and a part of a note that has none, stay as they were sent."""
    page.add_init_script(IN_CHINESE)
    page.reload()
    note = {"note": "rewriting: timeout; something new", "note_codes": ["rewriting.timeout", ""]}
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": "x"}), ("done", {**DONE, **note}))
    page.get_by_label("问题", exact=True).fill("x")
    page.get_by_role("button", name="提问", exact=True).click()
    expect(page.locator(".turn .note")).to_have_text("提示： 改写问题: 超时; something new")
    job = {**RUNNING, "progress": {**PROGRESS, "step_code": "reading", "step_values": {"name": "guide.pdf"}}}
    page.route("**/v1/jobs?*", lambda route: route.fulfill(json={"object": "list", "data": [job]}))
    page.route("**/files?*", lambda route: route.fulfill(json={"object": "list", "data": [A_FILE], "has_more": False}))
    page.get_by_role("link", name="文档", exact=True).click()
    expect(page.get_by_role("region", name="任务")).to_contain_text("正在读取 guide.pdf")
    expect(page.locator(".files .problem")).to_have_text(
        ["工作表“Prices”中有 2 张图片未读取", "a.html: 有 1 个视频未读取", "something new"]
    )


def test_the_language_of_a_text_is_that_of_most_of_its_letters(page: Page) -> None:
    texts = [
        CHINESE,
        JAPANESE,
        "서울은 한국의 수도입니다",
        ARABIC,
        "שלום עולם",
        ENGLISH,
        f"{ENGLISH} (东京)",
        "2024",
        "",
    ]
    found = page.evaluate(
        """async texts => {
            const { langOf } = await import("./ui/js/language/lang.js");
            return texts.map(langOf);
        }""",
        texts,
    )
    assert found == ["zh", "ja", "ko", "ar", "he", None, None, None, None]


def test_a_quote_far_into_its_passage_is_in_the_preview(page: Page) -> None:
    text = f"{'Not about it. ' * 60}{ENGLISH}."
    start = text.index(ENGLISH)
    place: dict[str, object] = {
        "start": 0,
        "end": 3,
        "source_start": start,
        "source_end": len(text),
        "page": None,
        "rectangles": [],
    }
    done = {**DONE, "citations": [{"index": 1, "start": 4, "end": 7, "quote": place}]}
    source = a_source(1, "animals/lakes/axolotl.md", text)
    answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": "Yes [1]."}), ("done", done))
    ask(page, "Where?")
    page.get_by_role("button", name="Source 1", exact=True).hover()
    expect(page.get_by_role("tooltip").locator("mark")).to_have_text(f"{ENGLISH}.")
    expect(page.locator(".source bdi").first).to_have_text("axolotl.md")  # its folders are in the title
    expect(page.locator(".source")).to_have_attribute("title", "animals/lakes/axolotl.md")


def test_the_preview_of_a_citation_is_readable_text_at_the_quote(page: Page) -> None:
    """Markdown and HTML become what they mean. The keyboard reaches nothing in it, and nothing is loaded."""
    filler = "\n".join(f"- [item {number}](https://pumps.example/{number}) with **bold** words" for number in range(80))
    image, table = "![logo](https://pumps.example/a.png)", "| A | B |\n|---|---|\n| 1 | 2 |"
    text = f"# Pumps\n\n<div>\n\n{filler}\n\n</div>\n\n{image} {ENGLISH}.\n\n{table}"
    start = text.index(ENGLISH)
    quote: dict[str, object] = {
        "source_start": start,
        "source_end": start + len(ENGLISH),
        "page": None,
        "rectangles": [],
    }
    done = {**DONE, "citations": [{"index": 1, "start": 4, "end": 7, "quote": quote}]}
    source = a_source(1, "pumps.md", text)
    answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": "Yes [1]."}), ("done", done))
    ask(page, "Where?")
    page.get_by_role("button", name="Source 1", exact=True).hover()
    preview = page.get_by_role("tooltip")
    expect(preview.locator("mark")).to_have_text(ENGLISH)
    expect(preview.locator("strong").nth(1)).to_have_text("bold")
    box, mark = preview.bounding_box(), preview.locator("mark").bounding_box()
    assert box is not None
    assert mark is not None
    assert box["y"] <= mark["y"] <= box["y"] + box["height"], "the quote is not among what is shown"
    for markup in ("**", "](", "<div>", "|--", "# "):
        expect(preview).not_to_contain_text(markup)
    expect(preview.locator("a, [tabindex]")).to_have_count(0)


def test_the_text_around_a_passage_consists_of_whole_paragraphs(page: Page) -> None:
    """Half a table would be shown as a text with bars."""
    rows = "| axolotl | Xochimilco |\n" * 200
    before, after = f"{rows}\nParagraph before.\n\n", f"\n\nParagraph after.\n\n| Name | Lake |\n|---|---|\n{rows}"
    source = {**a_source(1, "axolotl.md", ENGLISH), "start": 5000, "end": 5000 + len(ENGLISH)}
    part = {"data": [{"text": before[-3000:] + ENGLISH + after[:3000]}]}
    page.route("**/files/file-1/content?*", lambda route: route.fulfill(json=part))
    answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": f"{ENGLISH} [1]."}), ("done", DONE))
    ask(page, "Where?")
    page.locator(".source").click()
    page.get_by_role("button", name="Show the text around it").click()
    passage = page.get_by_role("group", name="Passage")
    expect(passage).to_contain_text("Paragraph before.")
    expect(passage).to_contain_text("Paragraph after.")
    expect(passage).not_to_contain_text("|")


def test_dates_are_written_as_in_the_readers_country(page: Page) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'languages', { value: ['fr-FR', 'en-GB', 'en'] })")
    page.reload()
    written = """async () => {
        const { dateTime } = await import("./ui/js/language/numbers.js");
        return dateTime(1_800_000_000);
    }"""
    assert re.match(r"1[45] Jan 2027", str(page.evaluate(written)))


@pytest.mark.parametrize("word", [ARABIC.replace(" ", ""), CHINESE])
def test_long_words_of_other_scripts_break_no_layout(page: Page, word: str) -> None:
    text = f"{word * 12} [1]\n\n| {word} | {word} |\n|---|---|\n| {word * 3} | 1 |"
    source = a_source(1, f"{word * 5}.md", text)
    answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": text}), ("done", DONE))
    ask(page, word * 8)
    page.locator(".source").click()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for part in (".turn", ".panel", ".conversations"):
            assert page.locator(part).first.evaluate("it => it.scrollWidth <= it.clientWidth"), (width, part)


def test_the_end_of_a_conversation_stays_in_view_when_its_lines_become_shorter(page: Page) -> None:
    text = "\n\n".join(f"{number}. {ENGLISH * 8}" for number in range(20))
    answer_with(page, ("sources", {"sources": []}), ("token", {"text": text}), ("done", DONE))
    ask(page, "Where?")
    page.set_viewport_size({"width": WIDTHS[0], "height": 800})
    expect(page.get_by_role("button", name="Ask again")).to_be_in_viewport()


def test_a_document_with_an_arabic_name_is_listed_in_its_direction(page: Page, page_store: str) -> None:
    listed = {"id": "file-1", "filename": ARABIC_NAME, "status": "completed", "chunks": 1, "bytes": 9, "created_at": 1}
    file = {**listed, "last_error": None, "warnings": []}
    page.route("**/v1/vector_stores/*/files?*", lambda route: route.fulfill(json={"data": [file], "has_more": False}))
    open_documents(page, "page")
    name = page.get_by_role("rowheader").locator("bdi")
    assert name.evaluate(DIRECTION) == "rtl"
    expect(name).to_have_attribute("lang", "ar")


def test_the_views_are_in_chinese_too(page: Page) -> None:
    page.add_init_script(IN_CHINESE)
    page.reload()
    for view in ("Chat", "Documents", *VIEWS):
        page.evaluate("view => { location.hash = view; }", view.lower())
        shown = page.locator("main:not([hidden])")
        expect(shown.locator("h2").first).to_have_text(re.compile("[\u4e00-\u9fff]"))
        assert not re.findall(r"\b(?:chat|documents|upload|why|eval|set|service|keys)\.[a-z_]+", shown.inner_text())


BY_CODE = [
    ("internal_error", re.compile(r"^服务发生内部错误.*请求编号 [\w-]{8,} 查找详情")),
    ("conflict", re.compile(r"^操作与当前状态冲突.*the details of it")),
    ("of_a_later_release", re.compile(r"^the details of it$")),
]


@pytest.mark.parametrize(("code", "text"), BY_CODE, ids=[code for code, _ in BY_CODE])
def test_an_error_is_in_the_language_of_the_page(page: Page, code: str, text: re.Pattern[str]) -> None:
    """A request that is refused, an answer that fails, and a code that the page does not know."""
    error = {"code": code, "message": "the details of it", "retryable": True}
    body = json.dumps({"error": {**error, "request_id": "1234-5678"}})
    page.add_init_script(IN_CHINESE)
    page.reload()
    page.route("**/ask", lambda route: route.fulfill(status=500, content_type="application/json", body=body))
    ask_in_chinese(page)
    expect(page.locator(".failure [dir]")).to_have_text([text])
    page.unroute("**/ask")
    headers = {"content-type": "text/event-stream", "x-request-id": "1234-5678"}
    event = f"event: error\ndata: {json.dumps(error)}\n\n"
    page.route("**/ask", lambda route: route.fulfill(headers=headers, body=event))
    ask_in_chinese(page)
    expect(page.locator(".failure [dir]")).to_have_text([text, text])


def ask_in_chinese(page: Page) -> None:
    page.locator(".composer textarea").fill("为什么？")
    page.keyboard.press("Enter")


def test_the_error_of_a_file_is_in_the_language_of_the_page(page: Page) -> None:
    page.add_init_script(IN_CHINESE)
    page.reload()
    page.evaluate("location.hash = 'documents'")
    files: Any = [{"name": "scan.md", "mimeType": "text/markdown", "buffer": b"---\ntitle: nothing\n---\n"}]
    page.locator("input[type=file]").first.set_input_files(files)
    expect(page.locator(".uploads .problem.error").last).to_contain_text("文件中没有可读取的文本")
    expect(page.locator(".files .problem.error")).to_contain_text("文件中没有可读取的文本")


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(page: Page) -> None:
    source = a_source(1, "axolotl.md", ENGLISH)
    answer_with(page, ("sources", {"sources": [source]}), ("token", {"text": f"{ENGLISH} [1]."}), ("done", DONE))
    ask(page, "Where?")
    page.get_by_role("link", name="Chat").focus()
    reached = ["Chat"]
    for _ in range(40):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "(it => it.ariaLabel || it.labels?.[0]?.innerText || it.innerText.trim())(document.activeElement)"
        )
        reached.append(re.sub(r"\s+", " ", name))
        if name.startswith("Options"):
            break
    assert reached == [
        "Chat", "Documents", "Why", "Evaluation", "Service", "Sign out", "API",
        "New", "Where?", "Export “Where?”", "Delete “Where?”",
        "Source 1", "1 axolotl.md", "Copy", "Ask again", "Edit question", "Why this answer?", "Question", "Options 1",
    ]  # fmt: skip
    for _ in range(len(reached) - reached.index("Source 1") - 1):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="axolotl.md").get_by_role("heading")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Source 1", exact=True)).to_be_focused()
