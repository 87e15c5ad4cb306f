from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import BrokenFile, EncryptedFile, NoTextFound, UnsupportedFile
from rag.readers import READER_MODULES, formats
from rag.readers.sniff import SUPPORTED_SUFFIXES, check_type, media_type_of, sniff
from tests.support.files.sample_files import docx, epub, pdf, word_paragraph, zip_file

DOCX = docx(word_paragraph("text"))
EPUB = epub({"a": "<p>text"})
PDF = pdf(["text"])
PPTX = zip_file({"[Content_Types].xml": "", "ppt/presentation.xml": ""})
XLSX = zip_file({"[Content_Types].xml": "", "xl/workbook.xml": ""})
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.md", "a", "a.exe"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (DOCX, formats.DOCX),
        (PPTX, formats.PPTX),
        (XLSX, formats.XLSX),
        (EPUB, formats.EPUB),
        (PDF, formats.PDF),
        (b"\n\n" + PDF, formats.PDF),
    ],
)
def test_the_content_decides_whatever_the_name(content: bytes, kind: str, name: str, tmp_path: Path) -> None:
    assert sniff(content, name) == kind
    path = tmp_path / "upload"
    path.write_bytes(content)
    assert check_type(path, name) == media_type_of(path, name) == kind


@pytest.mark.parametrize(("suffix", "kind"), formats.TEXT_KINDS.items())
def test_among_texts_the_name_decides(suffix: str, kind: str) -> None:
    assert sniff(b"a,b\n1,2\n", f"x{suffix.upper()}") == kind


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"some words", "README", formats.TEXT),
        (b"def f(): ...", "a.py", formats.TEXT),
        (b"words in a .docx", "a.docx", formats.TEXT),
        (b"<!DOCTYPE html><p>x", "a.aspx", formats.HTML),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?>\n<!-- x -->\n<html lang='de'>", "a.doc", formats.HTML),
        (b"<html><p>x", "notes.txt", formats.TEXT),
        (b"<note><html/></note>", "a.xml", formats.TEXT),
        ("Käse".encode("utf-16"), "a.txt", formats.TEXT),
        ("Käse".encode("latin-1"), "a.txt", formats.TEXT),
        ("東京都の人口".encode("shift_jis"), "a.txt", formats.TEXT),
        (b"MZ is not a program", "a.txt", formats.TEXT),
        (b"not a PDF at all", "a.pdf", formats.PDF),
        (b"A PDF file begins with %PDF-1.4", "a.md", formats.MARKDOWN),
        (b"\0\1 junk %PDF-1.4", "a.md", formats.PDF),
        (b"<!---->" * 600 + b"x", "a.aspx", formats.TEXT),
        (b"\x1b[31mred\x1b[0m", "a.log", formats.TEXT),
    ],
)
def test_other_texts(content: bytes, name: str, kind: str) -> None:
    assert sniff(content, name) == kind


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (OLE2, "a.doc", "save it as .docx"),
        (b"\xdb\xa5\x2d\x00x@", "a.doc", "save it as .docx"),
        (b"{\\rtf1 x}", "a.doc", "RTF"),
        (b"\x7fELF\x02\x01", "a.md", "a program"),
        (b"MZ\x90\0\x03", "a.txt", "a Windows program"),
        (b"\x89PNG\r\n\x1a\n", "a.pdf", "an image"),
        (b"\xff\xd8\xff\xe0", "a.jpg", "an image"),
        (b"\x1f\x8b\x08", "a.md", "an archive"),
        (b"7z\xbc\xaf\x27\x1c", "a.7z", "an archive"),
        (zip_file({"a.txt": "x"}), "a.zip", "a ZIP archive"),
        (zip_file({"a.txt": "x"}), "a.pdf", "a ZIP archive"),
        (zip_file({"mimetype": "application/vnd.oasis.opendocument.text"}), "a.odt", "OpenDocument"),
        (zip_file({"[Content_Types].xml": "", "xl/workbook.bin": ""}), "a.xlsx", ".xlsb"),
        (zip_file({"[Content_Types].xml": "", "visio/document.xml": ""}), "a.vsdx", "an Office file"),
        (bytes(range(256)) * 4, "a.md", "binary data"),
        (b"text\0text", "a.txt", "binary data"),
        (bytes([*range(1, 9), *range(128, 200)]), "a.txt", "binary data"),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, name: str, words: str) -> None:
    with pytest.raises(UnsupportedFile) as caught:
        check_type(content, name)
    assert type(caught.value) is UnsupportedFile
    assert caught.value.message.startswith(f"{name} ")
    assert words in caught.value.message
    assert all(suffix in caught.value.message for suffix in SUPPORTED_SUFFIXES)
    assert caught.value.param == name


def test_an_empty_file_has_no_text() -> None:
    with pytest.raises(NoTextFound, match=r"a\.md has no text"):
        check_type(b"", "a.md")


def test_binary_data_with_an_office_name_is_a_broken_file() -> None:
    with pytest.raises(BrokenFile, match="damaged"):
        check_type(b"\0\1\2", "a.docx")


def test_an_encrypted_office_file_is_told_from_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(OLE2 + bytes(100_000) + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(EncryptedFile, match="password"):
        check_type(path, "a.docx")


@pytest.mark.parametrize("content", [DOCX, EPUB])
def test_a_cut_archive_is_known_by_its_beginning(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content[: len(content) // 2])
    assert check_type(path, "a.md") == check_type(content, "a.md")


def test_an_archive_that_does_not_tell_at_once_is_taken_by_its_name(tmp_path: Path) -> None:
    content = zip_file({"docProps/thumbnail.jpeg": bytes(9)}) + b""
    assert check_type(content, "a.docx") == formats.DOCX


def test_each_format_has_a_reader() -> None:
    assert {*formats.TEXT_KINDS.values(), *formats.BINARY_KINDS.values()} == READER_MODULES.keys()


def test_importing_it_loads_no_parsing_library() -> None:
    heavy = "{'lxml', 'pypdfium2', 'openpyxl', 'pptx', 'mammoth', 'markdown_it', 'charset_normalizer'}"
    code = f"import sys, rag.readers.sniff; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0
