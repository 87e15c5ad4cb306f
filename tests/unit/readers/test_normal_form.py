"""The normal form of text, and offsets into it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from rag.readers.normal_form import normal_text, normalize
from rag.types import Extract, Heading, PageStart, TextRun
from tests.support.files.sample_files import read_content


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Donau\xaddampf\xadschiff", "Donaudampfschiff"),
        ("Donau\xad\ndampf", "Donaudampf"),
        ("hyper\u200bparameter \ufeffx\u2060y", "hyperparameter xy"),
        ("\x1b[31mERROR\x1b[0m worker \x1b[1;33mE4007\x1b[m", "ERROR worker E4007"),
        ("\x1b]8;;https://x.y/\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07text \x1b(B\x9b31mred", "text red"),
        ("N\x08NA\x08AM\x08ME\x08E _\x08x", "NAME x"),
        ("It\x92s \x93here\x94 \x85 5 \x80", "It’s “here” … 5 €"),
        ("a\x0bb\u2028c", "a\nb\nc"),
        ("[31mERROR[0m E1 [3/5] [2m]\n^[[1;32mOK^[[m \\u001b[Kx", "ERROR E1 [3/5] ]\nOK x"),
        ("a [3m] hose and [31m] more", "a [3m] hose and [31m] more"),
        ("\U0001f5f9 grounded \U0001f5f7", "☑ grounded ☒"),
        ("a\x01\x7f\x81b", "ab"),
        (unicodedata.normalize("NFD", "Zürich Việt サーバー"), "Zürich Việt サーバー"),
        ("abc\u200edef\u202egh\u2069", "abcdefgh"),
        ("visible\U000e0068\U000e0069", "visible"),
        ("a\u200db c\u200cd", "ab cd"),
    ],
)
def test_invisible_characters_are_removed(text: str, normal: str) -> None:
    assert normal_text(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d💻 👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 🧑🏽\u200d🚀",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "می\u200cخواهم",
        "क्\u200dष क्\u200cष",
        "ภาษา\u200bไทย",
        "tab\tnew\nline\f\xa0nbsp – “quotes”",
    ],
)
def test_what_matters_stays(text: str) -> None:
    assert normal_text(text) == text


def test_offsets_refer_to_the_normal_text() -> None:
    text = "# A\xad\xad\n\nte\u0301xt\n\n# B\u200b\n\n\x1b[1mend"
    starts = (0, text.index("te"), text.index("# B"), text.index("\x1b"))
    extract = Extract(
        text,
        "text/markdown",
        headings=(Heading(starts[0], "A\xad"), Heading(starts[2], "B\u200b")),
        pages=(PageStart(starts[1], 1), PageStart(starts[3], 2)),
        title="A\xad",
        runs=(TextRun(2, 5, 1, 0, 0, 9, 9), TextRun(starts[3], len(text), 2, 0, 0, 9, 9)),
    )
    normal = normalize(extract)
    assert normal.text == "# A\n\ntéxt\n\n# B\n\nend"
    assert normal.headings == (Heading(0, "A"), Heading(normal.text.index("# B"), "B"))
    assert normal.pages == (PageStart(normal.text.index("té"), 1), PageStart(normal.text.index("end"), 2))
    assert normal.title == "A"
    assert [normal.text[run.start : run.end] for run in normal.runs] == ["A", "end"]


def test_files_are_read_in_normal_form(tmp_path: Path) -> None:
    assert read_content(tmp_path, "<p>hyper&shy;parameter&#x91;s", "a.html").text == "hyperparameter‘s"
    assert read_content(tmp_path, "\x1b[31mE4007\x1b[0m", "a.log").text == "E4007"
