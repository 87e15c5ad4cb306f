"""Checks the citations of an answer, `[1]` and `[1, 3]`, while it is streamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import regex

from rag.generate.citations import Citation
from rag.generate.code_spans import CodeSpans
from rag.types import Hit

_NUMBER = "[1-9][0-9]{0,2}"
_CITATION = regex.compile(rf"\[{_NUMBER}(?:, ?{_NUMBER}){{0,15}}\]")
_SPACES = " \t"
_CLOSING = frozenset(".,;:!?)\n…。，、；：！？）")
"""Characters that follow a word without a space."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """The beginning of what may become a citation, or a complete one."""

    text: str = ""
    sent: int = 0
    """Number of its characters that were already sent."""

    def with_next(self, char: str) -> _Candidate | None:
        """The candidate with one more character; None if that cannot become a citation."""
        text = self.text + char
        return _Candidate(text, self.sent) if _CITATION.fullmatch(text, partial=True) else None

    @property
    def is_complete(self) -> bool:
        return self.text.endswith("]")

    @property
    def unsent(self) -> str:
        return self.text[self.sent :]

    def numbers(self) -> list[int]:
        return [int(number) for number in self.text[1:-1].split(",")]


class CitationFilter:
    """Removes citations of nonexistent sources from one text, and collects the valid ones.

    `feed` returns text as soon as it can be sent: only characters that may still become a citation are held back, with
    the spaces before them. A citation is removed together with the space before it; if it names several sources, only
    the wrong numbers are removed. The result does not depend on how the text is split, and filtering it again does not
    change it.

    Numbers in brackets are not citations in code or as the text of a Markdown link, `[1](address)`.

    Args:
        sources: The sources that citations can name, numbered from 1.
    """

    def __init__(self, sources: Sequence[Hit]) -> None:
        self.citations: list[Citation] = []
        """The valid citations. Their ranges refer to the filtered text."""
        self.removed = 0
        """Number of removed source numbers."""
        self._sources = sources
        self._code = CodeSpans()
        self._output: list[str] = []
        self._length = 0
        self._last = "\n"
        self._candidate = _Candidate()
        self._open = ""
        """The end of the sent text if it could still become a citation once the bracket after it is removed."""
        self._spaces = ""
        """Spaces after the sent text that are held back."""
        self._spaces_before_removed: str | None = None
        """The spaces before a citation that was just removed; None if none was."""

    def feed(self, text: str) -> str:
        """Add text. Returns what can be sent now."""
        for char in text:
            self._read(char)
        return self._take_output()

    def close(self) -> str:
        """End the text. Returns the rest of it."""
        if self._candidate.is_complete:
            self._settle("")
        self._send_as_text("")
        self._send(self._spacing(""))
        return self._take_output()

    def _take_output(self) -> str:
        text = "".join(self._output)
        self._output.clear()
        return text

    def _read(self, char: str) -> None:
        if self._candidate.is_complete:
            self._settle(char)
        if self._candidate.text:
            if (longer := self._candidate.with_next(char)) is not None:
                self._extend(longer)
                return
            self._send_as_text(char)
        if char == "[" and not self._code.is_open:
            self._candidate = _Candidate(char)
        elif char in _SPACES:
            self._spaces += char
        else:
            self._send(self._spacing(char) + char)

    def _extend(self, candidate: _Candidate) -> None:
        self._candidate = candidate
        if candidate.is_complete and not self._missing(candidate):
            self._send(self._spacing("[") + candidate.unsent)
            self._candidate = _Candidate(candidate.text, len(candidate.text))

    def _settle(self, following: str) -> None:
        """Decide about a complete candidate: if an opening parenthesis follows, it is the text of a link."""
        candidate, self._candidate = self._candidate, _Candidate()
        missing = self._missing(candidate)
        if following == "(":
            self._send((self._spacing("[") + candidate.unsent) if missing else "")
        elif not missing:
            self._cite(candidate.text)
        else:
            self.removed += len(missing)
            self._remove(candidate, [number for number in candidate.numbers() if number not in missing])

    def _remove(self, candidate: _Candidate, valid: Sequence[int]) -> None:
        if candidate.sent:  # its beginning was sent: without its end it is no citation
            self._candidate = _Candidate(candidate.text[: candidate.sent], candidate.sent)
        elif valid:
            text = f"[{', '.join(map(str, valid))}]"
            self._send(self._spacing("[") + text)
            self._cite(text)
        else:
            self._spaces_before_removed, self._spaces = self._spaces_before_removed or self._spaces, ""
            self._candidate, self._open = _Candidate(self._open, len(self._open)), ""

    def _cite(self, citation: str) -> None:
        """Records the citation that was just sent."""
        for index in dict.fromkeys(_Candidate(citation).numbers()):
            file_id = self._sources[index - 1].chunk.file_id
            self.citations.append(Citation(index, file_id, self._length - len(citation), self._length))

    def _send_as_text(self, char: str) -> None:
        """The candidate turned out to be no citation: `char` does not continue it."""
        candidate, self._candidate = self._candidate, _Candidate()
        if candidate.unsent:
            self._send(self._spacing("[") + candidate.unsent)
        if char == "[" and candidate.text:
            self._open = candidate.text

    def _spacing(self, following: str) -> str:
        """The spaces to send before the next text, which is empty at the end."""
        before, spaces = self._spaces_before_removed, self._spaces
        self._spaces_before_removed, self._spaces = None, ""
        if before is None:
            return spaces
        if not following or following in _CLOSING:
            return ""
        return before if not spaces or self._last in f"{_SPACES}\n" else spaces

    def _send(self, text: str) -> None:
        if not text:
            return
        self._output.append(text)
        self._length += len(text)
        self._last = text[-1]
        self._code.feed(text)
        self._open = ""

    def _missing(self, candidate: _Candidate) -> set[int]:
        """The numbers in the candidate that name no source."""
        return {number for number in candidate.numbers() if number > len(self._sources)}
