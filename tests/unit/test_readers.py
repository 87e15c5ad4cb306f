from __future__ import annotations

import re
from pathlib import Path

import pytest

from rag.errors import InvalidRequest, UnsupportedFile
from rag.ingest.formats import SUPPORTED_SUFFIXES
from rag.ingest.readers import file_id, normalize_filename, read_document
from rag.types import Document

HOSTILE = Path(__file__).parents[2].parent / "shared" / "data" / "hostile"
GERMAN = "Grüße aus Köln: heute gibt es Käsespätzle."


def read(content: str | bytes, filename: str = "doc.md") -> Document:
    return read_document("default", filename, content.encode() if isinstance(content, str) else content, {})


def paths(document: Document) -> list[str]:
    return [heading.path for heading in document.headings]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"])
def test_encodings(encoding: str) -> None:
    assert read(GERMAN.encode(encoding), "a.txt").text == GERMAN


def test_japanese_without_a_mark() -> None:
    text = "東京都の人口は約千四百万人です。"
    assert read(text.encode("shift_jis"), "a.txt").text == text


def test_html_says_its_own_encoding() -> None:
    html = "<html><head><meta charset='iso-8859-2'></head><body>Zażółć</body></html>"
    assert read(html.encode("iso-8859-2"), "a.html").text == "Zażółć"


@pytest.mark.parametrize("content", [b"\0", b"text\0text", bytes(range(256)) * 4, b"\xff\xfe\x00", b"\x7fELF\0\0\xfe"])
def test_binary_content_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(UnsupportedFile, match=r"sub/data\.md") as caught:
        read(content, "sub/data.md")
    assert caught.value.param == "sub/data.md"


@pytest.mark.parametrize("filename", ["a.pdf", "a.docx", "a", ".htaccess", "a.txt.exe", "txt"])
def test_other_formats_are_refused_with_the_list_of_ours(filename: str) -> None:
    with pytest.raises(UnsupportedFile) as caught:
        read("text", filename)
    assert all(suffix in caught.value.message for suffix in SUPPORTED_SUFFIXES)
    assert caught.value.param == filename


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        ("", "a.txt"),
        (" \r\n\t\u200b\ufeff", "a.txt"),
        ("---\ntitle: x\n---\n", "a.md"),
        ("<html><script>x</script><!-- y --></html>", "a.html"),
        ("<title></title>", "a.html"),
    ],
)
def test_files_without_text_are_refused_by_name(content: str, filename: str) -> None:
    with pytest.raises(UnsupportedFile, match=f"{re.escape(filename)} has no text"):
        read(content, filename)


def test_newlines_and_suffix_case() -> None:
    assert read("a\r\nb\rc\n", "A.TXT").text == "a\nb\nc\n"


def test_headings_nest() -> None:
    document = read("intro\n\n# Index\n\nHNSW\n----\n\n### M\n\n## IVF\n\n# Other\n\n### Deep\n")
    assert paths(document) == ["Index", "Index > HNSW", "Index > HNSW > M", "Index > IVF", "Other", "Other > Deep"]
    starts = [document.text[heading.start :].split("\n")[0] for heading in document.headings]
    assert starts == ["# Index", "HNSW", "### M", "## IVF", "# Other", "### Deep"]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# Index {#hnsw}", "Index"),
        ("## HNSW <a id='hnsw'></a>", "HNSW"),
        ('## <a id="x"></a>HNSW', "HNSW"),
        ("# The *M* `param` of [HNSW](http://x.y) ##", "The M param of HNSW"),
        ("# a &amp; b \\# c", "a & b # c"),
        ("# ![logo](x.png) Milvus", "logo Milvus"),
        ("# " + "long " * 100, ("long " * 40).rstrip()),
    ],
)
def test_titles_are_plain_words(line: str, title: str) -> None:
    assert paths(read(f"{line}\n\ntext")) == [title]


def test_code_and_plain_text_have_no_headings() -> None:
    assert paths(read("```\n# no\n```\n\n    # neither\n")) == []
    assert paths(read("# no\n", "a.txt")) == []


def test_front_matter_is_not_text() -> None:
    document = read("---\r\nid: x\r\ntags:\r\n  - a\r\n---\r\n\r\n# Title\r\n\r\ntext")
    assert document.text == "# Title\n\ntext"
    assert document.headings[0].start == 0


@pytest.mark.parametrize("text", ["---\n\nHello\n\n---\n\nmore", "---\nid: never closed\n", "text\n---\nid: x\n---\n"])
def test_rules_are_not_front_matter(text: str) -> None:
    assert read(text).text == text


def test_html_becomes_markdown() -> None:
    html = """<!doctype html><html><head><title>Menu</title><style>STYLE</style></head><body>
    <h1>Menu</h1><p>Soup <b>costs</b> 5_euro * 2.</p><script>SCRIPT</script><!-- COMMENT --><template>T</template>
    <noscript>NO</noscript><div style="Display : none">HIDDEN <p>DEEP</p></div><p hidden>HIDDEN</p>
    <h2>Drinks</h2><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td colspan="1000">2</td></tr></table>
    <a href="javascript:alert(1)">link</a></body></html>"""
    document = read(html, "menu.html")
    assert document.is_markdown
    assert document.text == (
        "# Menu\n\nSoup **costs** 5_euro * 2.\n\n## Drinks\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nlink"
    )
    assert paths(document) == ["Menu", "Menu > Drinks"]


def test_a_page_without_a_heading_is_under_its_title() -> None:
    assert (
        read("<html><head><title>The page</title><p>head never closed", "a.htm").text
        == "# The page\n\nhead never closed"
    )


def test_html_nested_too_deeply_is_refused() -> None:
    with pytest.raises(UnsupportedFile, match="nested too deeply"):
        read("<div>" * 20_000 + "x", "deep.html")


def test_documents_have_stable_ids() -> None:
    assert re.fullmatch("file-[0-9a-f]{24}", file_id("default", "a.md"))
    assert len({file_id("default", "a.md"), file_id("other", "a.md"), file_id("default", "b.md")}) == 3
    assert read("x", "ordner\\u\u0308.md").file_id == read("y", "./ordner//\u00fc.md").file_id


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "\\x.md", "../a.md", "a/../b.md", "a\nb.md", "a\0.md", "", ".", "x" * 513]
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        normalize_filename(name)
    assert caught.value.param == "files"


@pytest.mark.parametrize("name", ["a..b.md", "Ünïcödé 漢字 🦄.txt", "quote'\"`;$(id).txt", "-rf.txt", "%2e%2e%2f.md"])
def test_names_that_are_odd_but_fine(name: str) -> None:
    assert normalize_filename(name) == name


def test_hostile_files() -> None:
    if not HOSTILE.is_dir():
        pytest.skip(f"{HOSTILE} is not there: the hostile files are not part of this repository")
    refused = set()
    for path in sorted([*HOSTILE.glob("generated/*"), *HOSTILE.glob("html/*")]):
        try:
            document = read(path.read_bytes(), path.name)
        except UnsupportedFile:
            refused.add(path.name)
        else:
            assert document.text.strip()
            assert "MUST_NOT_BE_INDEXED" not in document.text
            assert "PWNED" not in document.text
    supported = {name for name in refused if name.endswith((".txt", ".md", ".html"))}
    expected = {"FILENAMES.txt", "binary_random.md", "empty.txt", "whitespace_only.txt", "yaml_front_matter_only.md"}
    assert supported == expected
