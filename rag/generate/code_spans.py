"""Tells whether a Markdown text that is being written is inside code."""

from __future__ import annotations

_FENCE = 3


class CodeSpans:
    """Finds inline code and fenced code blocks in a text that grows.

    Follows CommonMark, except for rules that depend on later text: inline code ends at the latest with its line, and a
    fenced block with the text.
    """

    def __init__(self) -> None:
        self._ticks = 0
        """Number of backticks that opened the current code; 0 outside of code."""
        self._is_block = False
        self._begins_line = False
        """Whether the current code was opened at the beginning of a line."""
        self._run = 0
        """Number of backticks at the end of the text so far."""
        self._line_is_blank = True
        """Whether the current line has nothing but spaces before these backticks."""

    @property
    def is_open(self) -> bool:
        """Whether the next character is code, unless it is a backtick."""
        if not self._run:
            return bool(self._ticks)
        return self._opens() or not self._closes()

    def feed(self, text: str) -> None:
        for char in text:
            if char == "`":
                self._run += 1
                continue
            if self._run:
                self._end_run()
            if char == "\n":
                self._end_line()
            elif char not in " \t":
                self._line_is_blank = False

    def _opens(self) -> bool:
        return not self._ticks

    def _closes(self) -> bool:
        if self._is_block:
            return self._line_is_blank and self._run >= self._ticks
        return self._run == self._ticks

    def _end_run(self) -> None:
        if self._opens():
            self._ticks, self._begins_line = self._run, self._line_is_blank
        elif self._closes():
            self._ticks, self._is_block = 0, False
        self._run, self._line_is_blank = 0, False

    def _end_line(self) -> None:
        if self._ticks and not self._is_block:
            self._is_block = self._begins_line and self._ticks >= _FENCE
            if not self._is_block:
                self._ticks = 0
        self._line_is_blank = True
