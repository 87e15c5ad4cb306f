"""Removes copies of the passages' fence tags from an answer: small models copy them from the prompt."""

from __future__ import annotations

import regex

_TAG = regex.compile(r"</?passages(?: [a-z]{1,12})?>")
"""See `rag.retrieve.prompting.fence`. No text from a document is lost: tags in documents are escaped in the prompt."""

_MOST_HELD = 256
"""Maximum number of characters that are held back, such as the beginnings of nested tags."""


class FenceFilter:
    """Removes fence tags from one text while it streams. Only text that may still become a tag is held back.

    Whitespace after a tag at the beginning of the text is also removed.
    """

    def __init__(self) -> None:
        self._held = ""
        self._is_empty = True
        self._is_trimming = False

    def feed(self, text: str) -> str:
        """Add text. Returns what can be sent now."""
        return self._sendable(self._held + text, is_end=False)

    def close(self) -> str:
        """End the text. Returns the rest of it."""
        return self._sendable(self._held, is_end=True)

    def _sendable(self, text: str, *, is_end: bool) -> str:
        text = self._trimmed(text)
        while (match := _TAG.search(text)) is not None:  # what was around a tag may be a tag now
            self._is_trimming = self._is_empty and not match.start()
            text = text[: match.start()] + self._trimmed(text[match.end() :])
        held_from = len(text) if is_end else _unfinished_from(text)
        self._held = text[held_from:]
        self._is_empty = self._is_empty and not held_from
        return text[:held_from]

    def _trimmed(self, text: str) -> str:
        text = text.lstrip() if self._is_trimming else text
        if text:
            self._is_trimming = False
        return text


def _unfinished_from(text: str) -> int:
    """Where the beginnings of tags at the end of the text start; its length if there are none."""
    end = len(text)
    first = max(0, end - _MOST_HELD)
    while (start := text.rfind("<", first, end)) >= 0 and _TAG.fullmatch(text, start, end, partial=True) is not None:
        end = start
    return end
