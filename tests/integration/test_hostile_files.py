"""Files that a stranger might upload, parsed as in the service. They are not part of this repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest

from rag.adapters.parser_process import ParserLimits, ParserProcess
from rag.errors import BrokenFile, EncryptedFile, InvalidRequest, NoTextFound, ParsingLimit, UnsupportedFile
from rag.readers.filename import normalize_filename
from rag.types import Extract, TextRun
from tests.support.files.sample_files import HOSTILE

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not HOSTILE.is_dir(), reason=f"{HOSTILE} is not there: it is not part of this repository"),
]

MANIFEST = json.loads((HOSTILE / "MANIFEST.json").read_text()) if HOSTILE.is_dir() else []
EMPTY_DOCUMENTS = frozenset(
    f"office/{name}.docx"
    for name in ("blk-containing-table", "doc-no-coreprops", "sty-having-no-styles-part", "tbl-having-tables")
)
"""Valid according to the manifest, but without any `<w:t>`."""
READABLE_SCAN = "pdf_valid/inline-image.pdf"
"""An image according to the manifest, but it also has the word `Test` as text."""
GENERATED: dict[str, str | type[UnsupportedFile]] = {
    "FILENAMES.txt": UnsupportedFile,  # contains a NUL
    "binary_random.md": UnsupportedFile,
    "bomb_100MB_document_xml.docx": ParsingLimit,
    "docx_named.pdf": "The capital of Freedonia is Fredville.",
    "empty.txt": NoTextFound,
    "html_hidden_injection.html": "# Menu\n\nSoup costs 5 euro.\n\nx",
    "html_unclosed.html": "first\n\nsecond",
    "invalid_utf8.txt": "good",
    "latin1.txt": "Grüße aus Köln café",
    "not_really_a_zip.docx": BrokenFile,
    "ok_tiny.docx": "The capital of Freedonia is Fredville.",
    "ok_tiny.pdf": "The capital of Freedonia is Fredville.",
    "one_line_2MB.txt": "word word",
    "shift_jis.txt": "東京都の人口は約千四百万人です。",
    "truncated.docx": BrokenFile,
    "utf16le_bom.txt": "Grüße aus Köln — 漢字",
    "utf8_bom.txt": "plain text with BOM",
    "whitespace_only.txt": NoTextFound,
    "yaml_front_matter_only.md": NoTextFound,
    "zalgo_rtl.txt": "Z",
}


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserProcess]:
    process = ParserProcess(ParserLimits(timeout_s=20.0))
    yield process
    process.close()


def check(extract: Extract) -> None:
    assert extract.text.strip()
    assert "\0" not in extract.text
    for positions in (extract.headings, extract.pages):
        starts = [mark.start for mark in positions]
        assert starts == sorted(starts)
        assert all(0 <= start < len(extract.text) for start in starts)
    for before, run in pairwise((TextRun(0, 0, 0, 0, 0, 0, 0), *extract.runs)):
        assert before.end <= run.start < run.end <= len(extract.text)
        assert min(run[3:]) >= 0


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: str(entry["file"]))
def test_files_are_parsed_or_refused_as_in_the_manifest(entry: dict[str, str], parser: ParserProcess) -> None:
    path = HOSTILE / entry["file"]
    try:
        extract = parser.parse(path, path.name)
    except UnsupportedFile as error:
        check_refusal(entry, error)
    else:
        check(extract)
        assert not entry["file"].startswith("pdf_encrypted/")
        assert "no OCR" not in entry["expect"] or entry["file"] == READABLE_SCAN


def check_refusal(entry: dict[str, str], error: UnsupportedFile) -> None:
    assert error.message.startswith(f"{entry['file'].rpartition('/')[2]} ")
    assert str(HOSTILE) not in error.message
    expected = entry["expect"]
    if "no OCR" in expected or entry["file"] in EMPTY_DOCUMENTS:
        assert type(error) is NoTextFound
    elif entry["file"].startswith("pdf_encrypted/"):
        assert type(error) is NoTextFound if "empty" in entry["kind"] else type(error) is EncryptedFile
    else:
        assert expected not in ("text extracted", "text extracted or 415")
        assert not isinstance(error, ParsingLimit)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_are_parsed_or_refused(name: str, parser: ParserProcess) -> None:
    expected = GENERATED[name]
    if isinstance(expected, str):
        extract = parser.parse(HOSTILE / "generated" / name, name)
        check(extract)
        assert extract.text.startswith(expected)
        assert not any(word in extract.text for word in ("MUST_NOT_BE_INDEXED", "PWNED"))
        return
    with pytest.raises(expected) as caught:
        parser.parse(HOSTILE / "generated" / name, name)
    assert type(caught.value) is expected


def test_all_generated_files_are_listed() -> None:
    assert {path.name for path in (HOSTILE / "generated").iterdir()} == GENERATED.keys()


@pytest.mark.parametrize("folder", ["blns", "prompt_injection/bipia", "prompt_injection/poisonedrag"])
def test_texts_and_json_are_parsed(folder: str, parser: ParserProcess) -> None:
    for path in sorted((HOSTILE / folder).iterdir()):
        check(parser.parse(path, path.name))


def test_hostile_file_names_are_refused() -> None:
    names = (HOSTILE / "generated" / "FILENAMES.txt").read_text(encoding="utf-8").split("\n")
    refused = set()
    for name in names:
        try:
            assert normalize_filename(name)
        except InvalidRequest:
            refused.add(name)
    assert all(name in ("", ".", "..") or name[0] in "./\\" or ":" in name or "\0" in name for name in refused)
    assert {"../../etc/passwd", "/etc/passwd", "C:\\x.txt", ".", "..", ""} <= refused
    assert {"-rf.txt", "con.txt", "%2e%2e%2fetc%2fpasswd", ".htaccess"} <= {*names} - refused
