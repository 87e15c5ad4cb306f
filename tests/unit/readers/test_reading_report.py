"""The warnings about what was not read."""

from __future__ import annotations

from rag.readers.extract.extract_json import from_json
from rag.readers.reading_report import MAX_WARNINGS, ReadingReport, counted


def test_warnings_are_kept_in_order_and_once() -> None:
    report = ReadingReport()
    for warning in ("b", "a\n c", "b", "a c"):
        report.warn(warning)
    assert report.warnings() == ("b", "a c")


def test_many_warnings_are_counted() -> None:
    report = ReadingReport()
    for number in range(MAX_WARNINGS + 3):
        report.warn(f"chapter {number} is missing")
    warnings = report.warnings()
    assert len(warnings) == MAX_WARNINGS + 1
    assert warnings[-1] == "3 further warnings are not listed"


def test_counts() -> None:
    assert counted(1, "picture", "not read") == "1 picture was not read"
    assert counted(2, "picture", "not read") == "2 pictures were not read"


def test_extracts_stored_before_there_were_warnings() -> None:
    stored = b'{"text":"a","media_type":"text/plain","is_markdown":false,"headings":[],"pages":[]}'
    assert from_json(stored).warnings == ()
