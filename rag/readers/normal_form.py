"""One normal form of text for search and prompts: NFC, without invisible characters and terminal control codes.

"Donau\\xaddampf"   -> "Donaudampf"        soft hyphens, zero-width spaces, byte order marks, bidirectional controls
"\\x1b[31mERROR"    -> "ERROR"             ANSI escape sequences, overstriking, control characters
"It\\x92s"          -> "It’s"              C1 control characters, which are cp1252 read as Latin-1
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import regex

from rag.readers.text_alignment import aligned
from rag.types import Extract
from rag.types.places import TextRun

_SUSPECT = re.compile(
    r"[\x01-\x08\x0b\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
_WINGDINGS = re.compile("[\U0001f5f5\U0001f5f7\U0001f5f9]")
_ANSI = regex.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|\x9b[0-9;]+[A-Za-z]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: window titles, the targets of links
    r"|\x1b[()*+][A-Za-z0-9]|\x1b[@-Z\\^_=>78c]"
)
_LOST_ESCAPE = regex.compile(r"(?:\^\[|\\u001b|\\x1b|\\033|\\e)?\[(?:\d{1,3}(?:;\d{1,3}){0,4})?[mK]")
_HAS_LOST_ESCAPE = re.compile(r"\[(?:\d;)?[39]\d(?:;\d)?m[^\n]*\[0?m")
"""Terminal colour codes whose escape character was lost or is spelled out: a code, text, and the resetting code."""
_OVERSTRUCK = regex.compile(r"[^\n\x08]\x08")
_C1: Final = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
_TICK_BOXES: Final = {0x1F5F9: "☑", 0x1F5F7: "☒", 0x1F5F5: "☒"}
"""Tick boxes that Unicode has for Wingdings, and that few other fonts have, as the common ones."""
_LINE_ENDS: Final = {0x0B: "\n", 0x2028: "\n", 0x2029: "\n"}
_SOFT_HYPHEN = regex.compile(r"\xad(?:\n(?=\p{L}))?")
_JOINED_SCRIPTS = (
    r"\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}"
    r"\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}"
    r"\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}"
)
_EMOJI = r"\p{Extended_Pictographic}\ufe0f\U0001f3fb-\U0001f3ff"
_UNSPACED_SCRIPTS = r"\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}"
_INVISIBLE = regex.compile(
    rf"(?<![{_JOINED_SCRIPTS}\p{{M}}])[\u200c]"
    rf"|(?<![{_JOINED_SCRIPTS}{_EMOJI}\p{{M}}])\u200d"
    rf"|(?<![{_UNSPACED_SCRIPTS}])\u200b"  # where words are not separated, it is their boundary
    r"|(?<!\U0001f3f4[\U000e0020-\U000e007f]*)[\U000e0000-\U000e007f]+"  # except in flags
    r"|[\x01-\x08\x0e-\x1f\x7f\u034f\u061c\u180e\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)


def normal_text(text: str) -> str:
    """The text in its normal form."""
    if "m" in text and _HAS_LOST_ESCAPE.search(text):
        text = _LOST_ESCAPE.sub("", text) if "\x1b" not in text else text
    if _SUSPECT.search(text):
        text = _OVERSTRUCK.sub("", _ANSI.sub("", text)).translate(_C1 | _LINE_ENDS)
        text = _INVISIBLE.sub("", _SOFT_HYPHEN.sub("", text))
    return unicodedata.normalize("NFC", text.translate(_TICK_BOXES) if _WINGDINGS.search(text) else text)


def normalize(extract: Extract) -> Extract:
    """The extract with its text, titles and headings in normal form; offsets refer to the new text."""
    starts = sorted({0, *(heading.start for heading in extract.headings), *(page.start for page in extract.pages)})
    pieces = [normal_text(extract.text[start:end]) for start, end in pairwise([*starts, len(extract.text)])]
    moved = dict(zip(starts, _offsets(pieces), strict=False))
    text = "".join(pieces)
    return dataclasses.replace(
        extract,
        text=text,
        runs=extract.runs if text == extract.text else _found_again(extract, text),
        title=normal_text(extract.title),
        headings=tuple(
            dataclasses.replace(heading, start=moved[heading.start], path=normal_text(heading.path))
            for heading in extract.headings
        ),
        pages=tuple(dataclasses.replace(page, start=moved[page.start]) for page in extract.pages),
    )


def _found_again(extract: Extract, text: str) -> tuple[TextRun, ...]:
    parts = (normal_text(extract.text[run.start : run.end]) for run in extract.runs)
    spans = aligned(parts, text, 0, len(text))
    return tuple(
        run._replace(start=span[0], end=span[1]) for run, span in zip(extract.runs, spans, strict=True) if span
    )


def _offsets(pieces: list[str]) -> Iterator[int]:
    """The start of each piece, and the end of the last."""
    offset = 0
    yield offset
    for piece in pieces:
        offset += len(piece)
        yield offset
