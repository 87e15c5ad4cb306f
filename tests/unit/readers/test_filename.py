from __future__ import annotations

import pytest

from rag.errors import InvalidRequest
from rag.readers.filename import MAX_FILENAME_CHARS, normalize_filename

REFUSED = [
    *("/etc/passwd", "\\x.md", "C:\\x.txt", "c:/x.txt", "../a.md", "..\\..\\windows\\win.ini", "a/../b.md", ".."),
    *("a\nb.md", "a\0.md", "a\u2028b.md", "\ud800.md", "", ".", "./", "x" * (MAX_FILENAME_CHARS + 1)),
]
ODD = [
    *("a..b.md", "Ünïcödé 漢字 🦄.txt", "quote'\"`;$(id).txt", "-rf.txt", "%2e%2e%2fetc%2fpasswd", "con.txt"),
    *("<script>alert(1)<", ".htaccess", " leading.txt", "trailing .txt", "file.pdf.exe", "Q: what.txt", "x" * 512),
]


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        normalize_filename(name)
    assert caught.value.param == "files"


@pytest.mark.parametrize("name", ODD)
def test_names_that_are_odd_but_fine(name: str) -> None:
    assert normalize_filename(name) == name


@pytest.mark.parametrize(
    ("name", "normal"),
    [("ordner\\u\u0308.md", "ordner/\u00fc.md"), ("./a//b.md", "a/b.md"), ("a/./b.md", "a/b.md"), ("a/", "a")],
)
def test_one_name_for_one_document(name: str, normal: str) -> None:
    assert normalize_filename(name) == normal


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("invoice\u202efdp.exe", "invoicefdp.exe"), ("a\u200bb\ufeff.md", "ab.md"), ("re\u00adport.md", "report.md"),
        ("\u2067\u05d0\u2069.md", "\u05d0.md"),
        ("\u0646\u0627\u0645\u0647\u200c\u0647\u0627.md", "\u0646\u0627\u0645\u0647\u200c\u0647\u0627.md"),
    ],
)  # fmt: skip
def test_invisible_characters_are_removed(name: str, normal: str) -> None:
    assert normalize_filename(name) == normal


def test_a_name_of_invisible_characters_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="is empty"):
        normalize_filename("\u200b\u202e")
