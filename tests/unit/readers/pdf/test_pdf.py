from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import BrokenFile, EncryptedFile, NoTextFound, UnsupportedFile
from rag.readers import ReadOptions
from rag.readers.pdf import ocr
from rag.readers.pdf.layout.hyphenation import LINE_END_HYPHEN, join_hyphenated
from rag.types import Heading, PageStart
from tests.fakes.tesseract import FakeTesseract
from tests.support.files.sample_files import LOCKED, pdf, read_content

OCR = ReadOptions(ocr_languages="eng")


def test_pages_follow_each_other(tmp_path: Path) -> None:
    content = pdf(["First page.\nIts second line.", "", "Third page."], title="Three pages", language="en-GB")
    extract = read_content(tmp_path, content, "a.docx")
    assert extract.text == "First page.\nIts second line.\n\nThird page."
    assert extract.pages == (PageStart(0, 1), PageStart(extract.text.index("Third"), 3))
    assert (extract.title, extract.language) == ("Three pages", "en-GB")
    assert (extract.media_type, extract.is_markdown) == ("application/pdf", False)


def test_a_document_without_headings_is_under_its_title(tmp_path: Path) -> None:
    extract = read_content(tmp_path, pdf(["First page.", "Second."], title="Zanzibar Protocol"), "a.pdf")
    assert extract.headings == (Heading(0, "Zanzibar Protocol"),)
    with_outline = read_content(tmp_path, pdf(["First page."], title="Protocol", outline=[("One", 0)]), "a.pdf")
    assert [heading.path for heading in with_outline.headings] == ["One"]


@pytest.mark.parametrize("title", ["untitled", "(anonymous)", "Microsoft Word - a.doc", "Document1", "plan v2.docx"])
def test_titles_that_nobody_gave(title: str, tmp_path: Path) -> None:
    extract = read_content(tmp_path, pdf(["text"], title=title.replace("(", "\\(").replace(")", "\\)")), "a.pdf")
    assert (extract.title, extract.headings) == ("", ())


def test_the_outline_gives_the_headings(tmp_path: Path) -> None:
    outline = [("One", 0), ("TWO words", 0), ("Not there", 1), ("One", 2)]
    content = pdf(["Start\nOneself\nOne\nTwo words", "Middle", ""], outline=outline)
    extract = read_content(tmp_path, content, "a.pdf")
    found = [(heading.path, extract.text[heading.start :].split("\n")[0]) for heading in extract.headings]
    assert found == [("One", "One"), ("TWO words", "Two words"), ("Not there", "Middle")]


def test_a_password(tmp_path: Path) -> None:
    with pytest.raises(EncryptedFile, match=r"^a\.pdf is password-protected"):
        read_content(tmp_path, pdf(["secret"], trailer=LOCKED), "a.pdf")


@pytest.mark.parametrize("content", [b"%PDF-1.4\n", b"words", pdf(["x"])[:100]])
def test_damaged_files(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"^a\.pdf "):
        read_content(tmp_path, content, "a.pdf")


def test_a_scan_without_ocr_says_how_to_read_it(tmp_path: Path) -> None:
    with pytest.raises(NoTextFound, match=r"^a\.pdf has no text .* looks like a scan; .*RAG_INGEST__OCR"):
        read_content(tmp_path, pdf([""]), "a.pdf")


@pytest.mark.parametrize(
    ("pages", "joined"),
    [
        (["an exam^ple here"], ["an example here"]),
        (["an exam^\nple here"], ["an example here"]),
        (["a well^known one, and", "a well-known one"], ["a well-known one, and", "a well-known one"]),
        (["COVID^19 and Anne^Marie"], ["COVID-19 and Anne-Marie"]),
        (["a dash ^ here"], ["a dash -\n here"]),
        (["untouched", "semi-final"], ["untouched", "semi-final"]),
        (["a state-of^the-art e^mail of n^tridecanal"], ["a state-of-the-art e-mail of n-tridecanal"]),
        (["a well-estab^lished method"], ["a well-established method"]),
        (["the credit, the financing, the credit^financing"], ["the credit, the financing, the credit-financing"]),
        (["the out, with and without, with^out"], ["the out, with and without, without"]),
        (["the cost of the self^driving car and the cross^ing"], ["the cost of the self-driving car and the crossing"]),
        (["die Daten der Bank, die Daten^bank"], ["die Daten der Bank, die Datenbank"]),
        (["pages 12-\n14, 3 \u2013\n4 and a\u2010\nb"], ["pages 12-14, 3 \u2013\n4 and a-b"]),
    ],
)
def test_words_cut_at_a_line_end(pages: list[str], joined: list[str]) -> None:
    assert join_hyphenated([page.replace("^", LINE_END_HYPHEN) for page in pages]) == joined


def test_a_word_cut_at_a_line_end_in_a_file(tmp_path: Path) -> None:
    assert "a hyphenated word" in read_content(tmp_path, pdf(["This is a hyphen-\nated word."]), "a.pdf").text


@pytest.fixture
def tesseract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "missing_ocr", lambda: "")
    monkeypatch.setitem(__import__("sys").modules, "pytesseract", FakeTesseract("pytesseract"))


@pytest.mark.usefixtures("tesseract")
def test_scanned_pages_are_recognized(tmp_path: Path) -> None:
    extract = read_content(tmp_path, pdf(["Typed.", ""]), "a.pdf", OCR)
    assert (extract.text, [page.number for page in extract.pages]) == ("Typed.\n\nread in eng", [1, 2])


@pytest.mark.usefixtures("tesseract")
def test_a_language_that_tesseract_lacks(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFile, match=r"^a\.pdf has scanned pages.*no such language"):
        read_content(tmp_path, pdf([""]), "a.pdf", ReadOptions(ocr_languages="xxx"))


def test_ocr_without_tesseract_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedFile, match="pip install pytesseract; apt-get install tesseract-ocr"):
        read_content(tmp_path, pdf([""]), "a.pdf", OCR)
