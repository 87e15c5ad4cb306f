"""The marks `[1]` and `[1, 3]` of a text that is being written: checked on the way, before anybody sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import regex

from rag.generate.citations import Citation
from rag.generate.code_spans import CodeSpans
from rag.types import Hit

_NUMBER = "[1-9][0-9]{0,2}"
_MARK = regex.compile(rf"\[{_NUMBER}(?:, ?{_NUMBER}){{0,15}}\]")
_BLANKS = " \t"
_CLOSING = frozenset(".,;:!?)\n…。，、；：！？）")
"""What stands behind a word without a blank."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """What may still become a mark, or is one."""

    text: str = ""
    sent: int = 0
    """Characters of it that are out already."""

    def with_next(self, char: str) -> _Mark | None:
        """None where that can never be a mark."""
        text = self.text + char
        return _Mark(text, self.sent) if _MARK.fullmatch(text, partial=True) else None

    @property
    def is_whole(self) -> bool:
        return self.text.endswith("]")

    @property
    def unsent(self) -> str:
        return self.text[self.sent :]

    def numbers(self) -> list[int]:
        return [int(number) for number in self.text[1:-1].split(",")]


class CitationFilter:
    """Takes one text piece by piece, and gives back what of it can be sent.

    A mark that names no source is left out, with the blank before it; of one that names some, the others are left out.
    Held back is only what may still become a mark, with the blanks before it. What `feed` and `close` give is the same
    text however it is cut into pieces, and reads the same when it is filtered again.

    Numbers in brackets are no marks in code, and as a Markdown link: `[1](address)`.

    Args:
        sources: What marks can name, the first by 1.
    """

    def __init__(self, sources: Sequence[Hit]) -> None:
        self.citations: list[Citation] = []
        """Their ranges are of the text that was given back."""
        self.removed = 0
        """Numbers that named no source."""
        self._sources = sources
        self._code = CodeSpans()
        self._out: list[str] = []
        self._length = 0
        self._last = "\n"
        self._mark = _Mark()
        self._open = ""
        """The end of what is out that could go on as a mark, were it not for the bracket that followed."""
        self._blanks = ""
        self._blanks_before: str | None = None
        """Those before a mark that was left out; None: nothing was left out here."""

    def feed(self, text: str) -> str:
        for char in text:
            self._take(char)
        return self._given()

    def close(self) -> str:
        """The rest. Nothing comes after it."""
        if self._mark.is_whole:
            self._settle("")
        self._give_up("")
        self._send(self._gap(""))
        return self._given()

    def _given(self) -> str:
        text = "".join(self._out)
        self._out.clear()
        return text

    def _take(self, char: str) -> None:
        if self._mark.is_whole:
            self._settle(char)
        if self._mark.text:
            if (grown := self._mark.with_next(char)) is not None:
                self._grow(grown)
                return
            self._give_up(char)
        if char == "[" and not self._code.is_open:
            self._mark = _Mark(char)
        elif char in _BLANKS:
            self._blanks += char
        else:
            self._send(self._gap(char) + char)

    def _grow(self, mark: _Mark) -> None:
        self._mark = mark
        if mark.is_whole and not self._nowhere(mark):
            self._send(self._gap("[") + mark.unsent)
            self._mark = _Mark(mark.text, len(mark.text))

    def _settle(self, following: str) -> None:
        """A mark is whole, and what follows says whether it is one."""
        mark, self._mark = self._mark, _Mark()
        nowhere = self._nowhere(mark)
        if following == "(":
            self._send((self._gap("[") + mark.unsent) if nowhere else "")
        elif not nowhere:
            self._cite(mark.text)
        else:
            self.removed += len(nowhere)
            self._leave_out(mark, [number for number in mark.numbers() if number not in nowhere])

    def _leave_out(self, mark: _Mark, kept: Sequence[int]) -> None:
        if mark.sent:  # its beginning is out: without its end it is no mark
            self._mark = _Mark(mark.text[: mark.sent], mark.sent)
        elif kept:
            text = f"[{', '.join(map(str, kept))}]"
            self._send(self._gap("[") + text)
            self._cite(text)
        else:
            self._blanks_before, self._blanks = self._blanks_before or self._blanks, ""
            self._mark, self._open = _Mark(self._open, len(self._open)), ""

    def _cite(self, mark: str) -> None:
        """The mark that was just sent."""
        for index in dict.fromkeys(_Mark(mark).numbers()):
            file_id = self._sources[index - 1].chunk.file_id
            self.citations.append(Citation(index, file_id, self._length - len(mark), self._length))

    def _give_up(self, char: str) -> None:
        """What could have become a mark is text."""
        mark, self._mark = self._mark, _Mark()
        if mark.unsent:
            self._send(self._gap("[") + mark.unsent)
        if char == "[" and mark.text:
            self._open = mark.text

    def _gap(self, following: str) -> str:
        """The blanks to be sent before what follows; empty: the end of the text."""
        before, blanks = self._blanks_before, self._blanks
        self._blanks_before, self._blanks = None, ""
        if before is None:
            return blanks
        if not following or following in _CLOSING:
            return ""
        return before if not blanks or self._last in f"{_BLANKS}\n" else blanks

    def _send(self, text: str) -> None:
        if not text:
            return
        self._out.append(text)
        self._length += len(text)
        self._last = text[-1]
        self._code.take(text)
        self._open = ""

    def _nowhere(self, mark: _Mark) -> set[int]:
        return {number for number in mark.numbers() if number > len(self._sources)}
