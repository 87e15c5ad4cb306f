"""No value can forge a log record."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from rag.bootstrap.log_format import JsonFormatter, TextFormatter


def record(message: str, *values: object) -> logging.LogRecord:
    made = logging.LogRecord("rag.access", logging.INFO, __file__, 1, message, values, None)
    made.request_id = "req-1"
    return made


@pytest.mark.parametrize("control", ["\n", "\r", "\x1b[2J", "\x00", "\u2028", "\u202e", "\x85"])
def test_control_characters_are_escaped(control: str) -> None:
    line = TextFormatter().format(record("GET %s 404", f"/v1/files/a{control}FORGED"))
    assert line.endswith(f"INFO rag.access req-1: GET /v1/files/a{control.encode('unicode_escape').decode()}FORGED 404")
    assert line.isprintable()


def test_text_in_any_language_is_left_as_it_is() -> None:
    assert TextFormatter().format(record("Größe 漢字 🦄")).endswith(": Größe 漢字 🦄")


def test_an_exception_cannot_forge_a_record() -> None:
    made = record("failed")
    try:
        raise ValueError("\n2026-01-01 00:00:00,000 INFO rag.access req-1: GET /FORGED 200\r\x1b[2J")
    except ValueError:
        made.exc_info = sys.exc_info()
    first, *trace = TextFormatter().format(made).split("\n")
    assert first.endswith("INFO rag.access req-1: failed")
    assert trace[0] == "  Traceback (most recent call last):"
    assert trace[-1] == r"  2026-01-01 00:00:00,000 INFO rag.access req-1: GET /FORGED 200\r\x1b[2J"
    assert all(line.startswith("  ") and line.isprintable() for line in trace)


def test_json_lines() -> None:
    try:
        raise ValueError("inner")
    except ValueError:
        made = record("a\nb %s", "c")
        made.exc_info = sys.exc_info()
    line = JsonFormatter().format(made)
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["message"], fields["level"], fields["request_id"]) == ("a\nb c", "INFO", "req-1")
    assert fields["exception"].endswith("ValueError: inner")
    assert fields["time"].endswith("+00:00")
