"""Markdown and plain text, and what holds for all formats."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rag.errors import NoTextFound, ParsingLimit, UnsupportedFile
from rag.readers import ReadOptions
from rag.readers.extract.extract_json import from_json, to_json
from rag.types import Extract, Heading, PageStart, ReadingWarning
from tests.support.files.sample_files import read_content

GERMAN = "Grüße aus Köln: heute gibt es Käsespätzle."


def paths(extract: Extract) -> list[str]:
    return [heading.path for heading in extract.headings]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, GERMAN.encode(encoding), "a.txt").text == GERMAN


def test_japanese_without_a_mark(tmp_path: Path) -> None:
    text = "東京都の人口は約千四百万人です。"
    assert read_content(tmp_path, text.encode("shift_jis"), "a.txt").text == text


@pytest.mark.parametrize("content", [b"\0", b"text\0text", b"\xff\xfe\x00", b"\x7fELF\0\0\xfe", b"x" * 70_000 + b"\0"])
def test_binary_content_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFile, match=r"^sub/data\.md ") as caught:
        read_content(tmp_path, content, "sub/data.md")
    assert caught.value.param == "sub/data.md"


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        ("", "a.txt"),
        (" \r\n\t\u200b\ufeff", "a.txt"),
        ("---\ntitle: x\n---\n", "a.md"),
        ("<html><script>x</script><!-- y --></html>", "a.html"),
        ("<title></title>", "a.html"),
        ("<title>x</title>", "a.html"),
        ("<!-- x -->", "a.html"),
        ("{}", "a.json"),
        ("\n", "a.csv"),
    ],
)
def test_files_without_text_are_refused_by_name(content: str, filename: str, tmp_path: Path) -> None:
    with pytest.raises(NoTextFound, match=f"^{re.escape(filename)} has no text") as caught:
        read_content(tmp_path, content, filename)
    assert caught.value.param == filename


@pytest.mark.parametrize("filename", ["a.txt", "a.md", "a.html", "a.csv", "a.json", "a.jsonl"])
def test_too_much_text_is_refused(filename: str, tmp_path: Path) -> None:
    with pytest.raises(ParsingLimit, match=rf"^{filename} has more than 100 characters"):
        read_content(tmp_path, '"' + "word " * 30 + '"', filename, ReadOptions(max_text_chars=100))


def test_newlines_and_suffix_case(tmp_path: Path) -> None:
    extract = read_content(tmp_path, "a\r\nb\rc\n", "A.TXT")
    assert extract == Extract(text="a\nb\nc\n", media_type="text/plain")


def test_headings_nest(tmp_path: Path) -> None:
    text = "intro\n\n# Index\n\nHNSW\n----\n\n### M\n\n## IVF\n\n# Other\n\n### Deep\n"
    extract = read_content(tmp_path, text, "a.md")
    assert paths(extract) == ["Index", "Index > HNSW", "Index > HNSW > M", "Index > IVF", "Other", "Other > Deep"]
    starts = [extract.text[heading.start :].split("\n")[0] for heading in extract.headings]
    assert starts == ["# Index", "HNSW", "### M", "## IVF", "# Other", "### Deep"]
    assert (extract.media_type, extract.is_markdown, extract.title) == ("text/markdown", True, "Index")


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
def test_titles_are_plain_words(line: str, title: str, tmp_path: Path) -> None:
    assert paths(read_content(tmp_path, f"{line}\n\ntext", "a.md")) == [title]


def test_code_and_plain_text_have_no_headings(tmp_path: Path) -> None:
    assert paths(read_content(tmp_path, "```\n# no\n```\n\n    # neither\n", "a.md")) == []
    assert paths(read_content(tmp_path, "# no\n", "a.txt")) == []


def test_front_matter_is_read_as_lines(tmp_path: Path) -> None:
    content = "---\r\nid: x\r\ntitle: 'My page'\r\nlang: de-AT\r\ntags:\r\n  - a\r\n---\r\n\r\n# Title\r\n\r\ntext"
    extract = read_content(tmp_path, content, "a.md")
    fields = "id: x\ntitle: My page\nlang: de-AT\ntags: a\n\n"
    assert (extract.text, extract.headings) == (f"{fields}# Title\n\ntext", (Heading(len(fields), "Title"),))
    assert (extract.title, extract.language) == ("My page", "de-AT")


@pytest.mark.parametrize("value", ["german, I think", "und", "'", ""])
def test_a_language_that_is_none(value: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, f"---\nlanguage: {value}\n---\ntext", "a.md").language == ""


@pytest.mark.parametrize("text", ["---\n\nHello\n\n---\n\nmore", "---\nid: never closed\n", "text\n---\nid: x\n---\n"])
def test_rules_are_not_front_matter(text: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, text, "a.md").text == text


@pytest.mark.parametrize(
    "extract",
    [
        Extract("", "text/plain"),
        Extract("a\u2028b🦄\ufffd\x7f", "x/y", True, (Heading(0, "A > B"),), (PageStart(0, 1), PageStart(2, 5)), "T"),
        Extract("a", "text/plain", warnings=(ReadingWarning("2 pictures were not read"),)),
    ],
)
def test_extracts_survive_as_json(extract: Extract) -> None:
    assert from_json(to_json(extract)) == extract


def test_headers_and_footers_of_plain_text_are_there_once(tmp_path: Path) -> None:
    pages = [f"RFC 9999    Semantics\n\nText {n} goes\n\nFielding    [Page {n}]\n" for n in range(1, 5)]
    text = read_content(tmp_path, "\f\n".join(pages), "rfc.txt").text
    assert (
        text
        == "RFC 9999    Semantics\n\nText 1 goes\n\nFielding    [Page 1]\n\n"
        + "\n\n".join([f"Text {n} goes" for n in range(2, 5)])
        + "\n"
    )
    other = "\f".join(["One\ntwo", "three\nfour", "five\nsix"])
    assert read_content(tmp_path, other, "a.txt").text == other
