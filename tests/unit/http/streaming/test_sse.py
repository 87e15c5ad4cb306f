"""`EventParser` reads what `format_event` writes, however the bytes are split into chunks."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.http.streaming.sse import KEEP_ALIVE, EventParser, format_event


def parse(*chunks: bytes) -> list[tuple[str, str]]:
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def test_an_event_is_ascii_with_one_data_line() -> None:
    raw = format_event("token", {"text": "naïve 日本\n🙂"})
    assert raw.isascii()
    assert raw == b'event: token\ndata: {"text":"na\\u00efve \\u65e5\\u672c\\n\\ud83d\\ude42"}\n\n'


def test_comments_and_events_without_data_are_not_events() -> None:
    assert parse(KEEP_ALIVE, b"event: x\n\n", b"data: 1\n\n") == [("message", "1")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_ending_of_the_standard_is_accepted(end: bytes) -> None:
    raw = end.join([b"event: a", b"data: one", b"data:two", b"", b"data: three", b"", b""])
    expected = [("a", "one\ntwo"), ("message", "three")]
    assert parse(raw, b": a lone CR is sure only when the next byte has come\n") == expected
    assert parse(*(raw[i : i + 1] for i in range(len(raw))), b": end\n") == expected


def test_an_unfinished_event_is_not_returned() -> None:
    assert parse(b"event: done\ndata: {}\n") == []


def test_a_character_split_across_chunks_is_reassembled() -> None:
    raw = "data: 🙂\n\n".encode()
    assert parse(raw[:8], raw[8:]) == [("message", "🙂")]


@given(
    events=st.lists(st.tuples(st.sampled_from(["token", "done"]), st.text()), max_size=5),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_any_chunking_gives_the_same_events(events: list[tuple[str, str]], cuts: list[int]) -> None:
    raw = b"".join(format_event(name, {"text": text}) for name, text in events)
    bounds = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    parsed = parse(*(raw[a:b] for a, b in pairwise(bounds)))
    assert [(name, json.loads(data)["text"]) for name, data in parsed] == events
