"""Passages of so many tokens, as OpenAI's `static` strategy counts them: with the encoder's own tokenizer."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rag.chunkers.chunker import MAX_CHARS, Span, passages, sections
from rag.types import Extract, Passage

_STEP_CHARS = 32
"""More text than this between two tokens' starts counts as a token each: a word that the encoder does not know (base64,
a long URL) is one token of any length, and what its normalizer drops is none."""
_PLACES = (("\n\n",), ("\n",), (". ", "! ", "? ", "。", "！", "？"), (" ",))
"""Where to cut, best first."""


class Encoding(Protocol):
    @property
    def offsets(self) -> Sequence[Span]:
        """Where each token stands in the text."""


class TokenCounter(Protocol):
    """The part of `tokenizers.Tokenizer` that a chunker needs."""

    def encode(
        self, sequence: Any, pair: Any = None, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> Encoding: ...


@dataclass(frozen=True, slots=True)
class TokenChunker:
    """See `rag.chunkers.Chunker`. Each text is tokenized twice in all, once to plan and once to check.

    `TextSplitter.from_huggingface_tokenizer` tokenizes each passage a dozen times: 20 s for 2 MB at 800 / 400 tokens.

    Args:
        tokenizer: Neither truncates nor pads; see `rag.adapters.sentence_transformers.tokenizer`.
        max_tokens: In a passage at most, the encoder's special tokens not counted.
        overlap_tokens: That may repeat the end of the passage before; half of `max_tokens` at most.
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
        """Where each token starts, and behind them the end of the text. Each is where a passage may start."""
        starts = array("q", [0])
        for offset, section in sections(text):
            for start, _ in self._encode(section):
                _append(starts, text, offset + start)
        _append(starts, text, len(text.rstrip()))
        return starts if text[: starts[1]].strip() else starts[1:]

    def _end(self, text: str, starts: Sequence[int], first: int) -> int:
        """Behind the last token of the passage that starts with token `first`."""
        last = len(starts) - 1
        fits = bisect.bisect_right(starts, starts[first] + MAX_CHARS) - 1
        end = min(first + self.max_tokens, fits, last)
        while True:
            cut = end if end == last else _good_end(text, starts, first, end)
            cut = _between_characters(starts, first, cut)
            # A word that is cut has other tokens than the whole: there may be more of them.
            excess = len(self._encode(text[starts[first] : starts[cut]].strip())) - self.max_tokens
            if excess <= 0 or cut <= first + 1 or cut > end:
                return cut
            end = max(cut - excess, first + 1)

    def _next(self, text: str, starts: Sequence[int], first: int, end: int) -> int:
        """The first token of the passage after that of the tokens from `first` to `end`."""
        overlap = min(self.overlap_tokens, (end - first) // 2)
        if not overlap:
            return end
        earliest, latest = end - overlap, end - overlap // 2
        low, high = max(starts[earliest] - 2, 0), starts[latest]
        for marks in _PLACES:
            found = [place + len(mark) for mark in marks if (place := text.find(mark, low, high)) >= 0]
            if found:
                earliest = max(bisect.bisect_left(starts, min(found), earliest, end), earliest)
                break
        inside_character = starts[earliest] == starts[earliest - 1]
        return bisect.bisect_right(starts, starts[earliest]) if inside_character else earliest

    def _encode(self, text: str) -> Sequence[Span]:
        return self.tokenizer.encode(text, add_special_tokens=False).offsets


def _append(starts: array[int], text: str, start: int) -> None:
    """Appends one more start, and those that are missing up to it: white space needs none."""
    steps = range(starts[-1] + _STEP_CHARS, start, _STEP_CHARS)
    starts.extend(step for step in steps if not text[step : min(step + _STEP_CHARS, start)].isspace())
    starts.append(max(start, starts[-1]))


def _good_end(text: str, starts: Sequence[int], first: int, end: int) -> int:
    """The best place to cut in the last third of the tokens from `first` to `end`."""
    low, high = starts[first + (end - first) * 2 // 3], starts[end]
    for marks in _PLACES:
        cut = max(place + len(mark) if (place := text.rfind(mark, low, high)) >= 0 else -1 for mark in marks)
        if cut >= 0:
            return bisect.bisect_left(starts, cut, first + 1, end)
    return end


def _between_characters(starts: Sequence[int], first: int, cut: int) -> int:
    """A character of several tokens stays whole: the cut goes before it, or behind it where it comes first."""
    before = bisect.bisect_left(starts, starts[cut])
    return before if starts[before] > starts[first] else bisect.bisect_right(starts, starts[first])
