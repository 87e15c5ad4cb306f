"""Splits into passages of whole sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.chunkers.chunker import MAX_CHARS, Span, passages, stripped
from rag.chunkers.recursive import recursive_spans
from rag.types import Extract, Heading, Passage

# Possessive quantifiers prevent backtracking, so that hostile text is matched in linear time.
_BREAK = re.compile(
    r"""(?<![.!?…؟।])(?P<mark>[.!?…؟।]++)(?P<closers>["'”’»)\]*_]*+)(?=\s|\Z)"""
    r"""|[。！？｡]++[」』”’）)\]】]*+"""
    r"""|\n(?=[ \t]*(?:\n|\#{1,6}[ \t]|[-*+•][ \t]|\d{1,3}[.)][ \t]|[|>]|```|~~~))"""
)
_NEXT = re.compile(r"\s*+(\S)")
_LAST_WORD = re.compile(r"(^|\n\s*|\W)([^\W_]+)$")
_LONGEST_ABBREVIATION = 12
_ENGLISH = """mr mrs ms dr prof sr jr st vs fig figs eq vol ed eds inc ltd corp al approx dept gen gov col sgt capt rev
    hon cf ca jan feb mar apr jun jul aug sep sept oct nov dec"""
_GERMAN = "nr bzw abs bd hrsg vgl str tel evtl ggf sog inkl bspw zzgl mio mrd dipl ing hr fr"
_ROMANCE = "mme mlle av env sra srta dra pág núm sig dott ecc"
_ABBREVIATIONS = frozenset(f"{_ENGLISH} {_GERMAN} {_ROMANCE}".split())
_BEFORE_NUMBERS = frozenset(("no", "p", "pp", "sec", "ch", "ver", "v"))


@dataclass(frozen=True, slots=True)
class SentenceChunker:
    """Implements `rag.chunkers.Chunker`. As many sentences as fit; a sentence that is too long is split at words."""

    max_chars: int = 512
    overlap_sentences: int = 1
    """Sentences at the end of a passage that the next one repeats, if that leaves room for a new one."""

    def chunk(self, extract: Extract) -> list[Passage]:
        max_chars = min(self.max_chars, MAX_CHARS)
        units = list(_units(extract, max_chars))
        return passages(extract, _packed(units, max_chars, self.overlap_sentences))


def sentence_spans(text: str, headings: Sequence[Heading] = ()) -> Iterator[Span]:
    """The sentences in order, without surrounding whitespace. Headings, list items and table rows count as sentences.

    Follows the main rules of Unicode (UAX 29), plus abbreviations, which UAX 29 leaves out. `TextSplitter` follows UAX
    29 too, but takes 100 s for 2 MB, and starts a sentence after an opening `「`. A line without a final punctuation
    mark continues in the next line, as most lines of PDF text do.
    """
    cuts = {0, len(text), *(match.end() for match in _BREAK.finditer(text) if _ends_sentence(text, match))}
    for heading in headings:
        line_end = text.find("\n", heading.start)
        cuts |= {heading.start, len(text) if line_end < 0 else line_end}
    start = 0
    for cut in sorted(cuts):
        span = stripped(text, (start, cut))
        if span[0] < span[1]:
            yield span
        start = cut


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    mark, closers = match["mark"], match["closers"]
    follows = _NEXT.match(text, match.end()) if mark else None
    if not follows:
        return True
    # `"Really?" she said`, but not `Really? yes`.
    if follows[1].islower() and (closers or mark[-1] in ".…"):
        return False
    return mark != "." or bool(closers) or not _is_abbreviation(text, match.start(), follows[1])


def _is_abbreviation(text: str, dot: int, follows: str) -> bool:
    """True if the dot belongs to the word: `Dr.`, `J.`, the `S.` of `U.S.`, `No. 5`, and `1.` at a line's start."""
    before = text[max(dot - _LONGEST_ABBREVIATION, 0) : dot]
    match = _LAST_WORD.search(before)
    if not match:
        return False
    word = match[2].lower()
    if word.isdigit():
        return len(word) <= 2 and (match[1].startswith("\n") or len(before) == len(word) == dot)
    if word in _BEFORE_NUMBERS:
        return follows.isdigit()
    return (len(word) == 1 and word.isascii()) or word in _ABBREVIATIONS


def _units(extract: Extract, max_chars: int) -> Iterator[Span]:
    """The sentences; those that are too long are split."""
    for start, end in sentence_spans(extract.text, extract.headings):
        if end - start <= max_chars:
            yield start, end
        else:
            parts = recursive_spans(extract.text[start:end], max_chars)
            yield from ((start + first, start + last) for first, last in parts)


def _packed(units: Sequence[Span], max_chars: int, overlap: int) -> Iterator[Span]:
    first = 0
    while first < len(units):
        end = first + 1
        while end < len(units) and units[end][1] - units[first][0] <= max_chars:
            end += 1
        yield units[first][0], units[end - 1][1]
        if end == len(units):
            return
        first = end - min(overlap, end - first - 1)
        while first < end and units[end][1] - units[first][0] > max_chars:
            first += 1
