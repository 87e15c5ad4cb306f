"""Whether a Markdown text is in the midst of code."""

from __future__ import annotations

_FENCE = 3


class CodeSpans:
    """Follows a text as it grows: `inline code`, which ends with its line at the latest, and blocks between fences of
    backticks, which end with the text at the latest. As in CommonMark, but for what that knows only later."""

    def __init__(self) -> None:
        self._ticks = 0
        """Backticks that opened the code we are in; 0: none did."""
        self._is_block = False
        self._begins_line = False
        """Whether the code we are in was opened by the first backticks of its line."""
        self._run = 0
        """Backticks at the end of the text so far."""
        self._line_is_blank = True
        """But for these."""

    @property
    def is_open(self) -> bool:
        """Whether what comes next is code, if it is no backtick."""
        if not self._run:
            return bool(self._ticks)
        return self._opens() or not self._closes()

    def take(self, text: str) -> None:
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
