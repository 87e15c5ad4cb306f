"""Removes the fence around the passages from an answer: small models copy it from their prompt."""

from __future__ import annotations

import regex

_TAG = regex.compile(r"</?passages(?: [a-z]{1,12})?>")
"""See `rag.retrieve.prompting.fence`. No text from a document is lost: tags in documents are escaped in the prompt."""


class FenceFilter:
    """Removes fence tags from one text while it streams. Only text that may still become a tag is held back.

    Whitespace after a tag at the beginning of the text is also removed.
    """

    def __init__(self) -> None:
        self._held = ""
        self._is_empty = True
        self._is_trimming = False

    def feed(self, text: str) -> str:
        """What can be sent now that `text` was written."""
        return self._sendable(self._held + text, is_end=False)

    def close(self) -> str:
        """The rest, after the whole text was written."""
        return self._sendable(self._held, is_end=True)

    def _sendable(self, text: str, *, is_end: bool) -> str:
        parts = []
        start = 0
        while (match := _TAG.search(text, start, partial=not is_end)) is not None and not match.partial:
            parts.append(self._trimmed(text[start : match.start()]))
            self._is_trimming = self._is_empty
            start = match.end()
        held_from = len(text) if match is None else match.start()
        parts.append(self._trimmed(text[start:held_from]))
        self._held = text[held_from:]
        return "".join(parts)

    def _trimmed(self, text: str) -> str:
        text = text.lstrip() if self._is_trimming else text
        if text:
            self._is_empty = self._is_trimming = False
        return text
