"""The warnings about what was not read."""

from __future__ import annotations

from rag.readers.extract.extract_json import from_json, to_json
from rag.readers.reading_report import MAX_WARNINGS, ReadingReport, warning
from rag.types import Extract, ReadingWarning


def test_warnings_are_kept_in_order_and_once() -> None:
    report = ReadingReport()
    for text in ("b", "a\n c", "b", "a c"):
        report.warn(ReadingWarning(text))
    assert report.warnings() == ("b", "a c")


def test_many_warnings_are_counted() -> None:
    report = ReadingReport()
    for number in range(MAX_WARNINGS + 3):
        report.warn(warning("missing_chapter", name=number))
    warnings = report.warnings()
    assert len(warnings) == MAX_WARNINGS + 1
    assert warnings[-1] == "3 further warnings are not listed"


def test_the_text_of_a_code_names_its_values() -> None:
    assert warning("pictures", count=1) == "1 picture was not read"
    in_sheet = warning("pictures", count=2, place="sheet", name="Prices")
    assert in_sheet == "2 pictures were not read in the sheet 'Prices'"
    assert (in_sheet.code, in_sheet.values) == ("pictures", {"count": 2, "place": "sheet", "name": "Prices"})


def test_a_warning_about_a_part_keeps_its_code_and_its_values() -> None:
    found = warning("videos", count=2).of_part("a.html").of_part("b.eml")
    assert (found, found.code, found.part) == ("b.eml: a.html: 2 videos were not read", "videos", "b.eml: a.html")
    stored = ReadingWarning.from_json(found.to_json())
    assert (stored, stored.code, stored.values, stored.part) == (found, "videos", {"count": 2}, "b.eml: a.html")


def test_a_warning_that_was_stored_as_a_text_has_no_code() -> None:
    stored = ReadingWarning.from_json("2 pictures were not read")
    assert (stored, stored.code, stored.values) == ("2 pictures were not read", "", {})


def test_texts_that_cannot_be_stored_are_replaced_in_the_values_too() -> None:
    found = warning("missing_chapter", name="a\ud800").with_text(lambda text: text.replace("\ud800", "?"))
    assert (found, found.values) == ("chapter a? is missing from the e-book", {"name": "a?"})


def test_an_extract_keeps_the_codes_of_its_warnings_as_json() -> None:
    (kept,) = from_json(to_json(Extract("a", "text/plain", warnings=(warning("videos", count=2),)))).warnings
    assert (kept, kept.code, kept.values) == ("2 videos were not read", "videos", {"count": 2})


def test_extracts_stored_before_there_were_warnings() -> None:
    stored = b'{"text":"a","media_type":"text/plain","is_markdown":false,"headings":[],"pages":[]}'
    assert from_json(stored).warnings == ()
