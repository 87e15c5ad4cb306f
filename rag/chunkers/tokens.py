"""Splits into passages of a number of tokens, as OpenAI's `static` strategy, with the encoder's own tokenizer."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.chunkers.chunker import MAX_CHARS, Span, passages, sections
from rag.types import Extract, Passage

_STEP_CHARS = 32
"""Every further piece of this length between two token starts counts as a token: an unknown word (base64, a long URL)
is a single token of any length, and text that the normalizer drops is none."""
_CUT_MARKS = (("\n\n",), ("\n",), (". ", "! ", "? ", "。", "！", "？"), (" ",))
"""Marks after which to cut, best first."""


class Encoding(Protocol):
    """The part of `tokenizers.Encoding` that a chunker needs."""

    @property
    def offsets(self) -> Sequence[Span]:
        """The span of each token in the text."""


class TokenCounter(Protocol):
    """The part of `tokenizers.Tokenizer` that a chunker needs."""

    def encode(
        self, sequence: str, pair: str | None = None, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> Encoding: ...


@dataclass(frozen=True, slots=True)
class TokenChunker:
    """Implements `rag.chunkers.Chunker`. Each text is tokenized twice: to plan the passages, and to check their length.

    `TextSplitter.from_huggingface_tokenizer` tokenizes each passage a dozen times: 20 s for 2 MB at 800 / 400 tokens.

    Args:
        tokenizer: Must not truncate or pad; see `rag.adapters.sentence_transformers.tokenization.tokenizer`.
        max_tokens: Maximum length of a passage, without the encoder's special tokens.
        overlap_tokens: Maximum length of the repeated end of the previous passage; at most half of `max_tokens`.
    """

    tokenizer: TokenCounter
    max_tokens: int = 800
    overlap_tokens: int = 400

    def chunk(self, extract: Extract) -> list[Passage]:
        return passages(extract, self._spans(extract.text))

    def _spans(self, text: str) -> Iterator[Span]:
        starts = self._token_starts(text)
        first = end = 0
        while starts[end] < starts[-1]:
            end = self._end(text, starts, first)
            yield starts[first], starts[end]
            first = self._next(text, starts, first, end)

    def _token_starts(self, text: str) -> Sequence[int]:
        """The start of each token, where a passage may start, followed by the end of the text."""
        starts = array("q", [0])
        for offset, section in sections(text):
            for start, _ in self._encode(section):
                _append(starts, text, offset + start)
        _append(starts, text, len(text.rstrip()))
        return starts if text[: starts[1]].strip() else starts[1:]

    def _end(self, text: str, starts: Sequence[int], first: int) -> int:
        """The index after the last token of the passage that starts with token `first`."""
        last = len(starts) - 1
        fits = bisect.bisect_right(starts, starts[first] + MAX_CHARS) - 1
        end = min(first + self.max_tokens, fits, last)
        while True:
            cut = end if end == last else _good_end(text, starts, first, end)
            cut = _between_characters(starts, first, cut)
            # A word that is cut is tokenized differently from the whole word, possibly into more tokens.
            excess = len(self._encode(text[starts[first] : starts[cut]].strip())) - self.max_tokens
            if excess <= 0 or cut <= first + 1 or cut > end:
                return cut
            end = max(cut - excess, first + 1)

    def _next(self, text: str, starts: Sequence[int], first: int, end: int) -> int:
        """The first token of the passage that follows the one from `first` to `end`."""
        overlap = min(self.overlap_tokens, (end - first) // 2)
        if not overlap:
            return end
        earliest, latest = end - overlap, end - overlap // 2
        low, high = max(starts[earliest] - 2, 0), starts[latest]
        for marks in _CUT_MARKS:
            cuts = [place + len(mark) for mark in marks if (place := text.find(mark, low, high)) >= 0]
            if cuts:
                earliest = max(bisect.bisect_left(starts, min(cuts), earliest, end), earliest)
                break
        inside_character = starts[earliest] == starts[earliest - 1]
        return bisect.bisect_right(starts, starts[earliest]) if inside_character else earliest

    def _encode(self, text: str) -> Sequence[Span]:
        return self.tokenizer.encode(text, add_special_tokens=False).offsets


def _append(starts: array[int], text: str, start: int) -> None:
    """Append a token start, preceded by one every `_STEP_CHARS` of a gap that is not whitespace."""
    steps = range(starts[-1] + _STEP_CHARS, start, _STEP_CHARS)
    starts.extend(step for step in steps if not text[step : min(step + _STEP_CHARS, start)].isspace())
    starts.append(max(start, starts[-1]))


def _good_end(text: str, starts: Sequence[int], first: int, end: int) -> int:
    """The best place to cut in the last third of the tokens from `first` to `end`."""
    low, high = starts[first + (end - first) * 2 // 3], starts[end]
    for marks in _CUT_MARKS:
        cut = max(place + len(mark) if (place := text.rfind(mark, low, high)) >= 0 else -1 for mark in marks)
        if cut >= 0:
            return bisect.bisect_left(starts, cut, first + 1, end)
    return end


def _between_characters(starts: Sequence[int], first: int, cut: int) -> int:
    """Move a cut inside a character of several tokens before it, or after it if the passage starts with it."""
    before = bisect.bisect_left(starts, starts[cut])
    return before if starts[before] > starts[first] else bisect.bisect_right(starts, starts[first])
