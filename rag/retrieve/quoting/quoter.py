"""Selects quotes: reads the text around the hits, splits it into units and scores them against the question."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.errors import RagError
from rag.keywords import folded
from rag.ports import Reranker
from rag.retrieve.quoting.front_matter import can_answer
from rag.retrieve.quoting.grammar import chosen_text, fixed_text
from rag.retrieve.quoting.selection import (
    MAX_CANDIDATES,
    MAX_QUOTES,
    Candidate,
    Selection,
    repeats_question,
    select,
    select_quotes,
)
from rag.retrieve.quoting.splitting import units_of
from rag.retrieve.quoting.unit import Unit
from rag.retrieve.quoting.window import rectangles_around, window_of
from rag.retrieve.quoting.word_overlap import word_overlap
from rag.retrieve.ranking.exact_matches import contains_all
from rag.retrieve.ranking.question_words import question_words
from rag.types import Chunk, Hit, Quotation, Quote, QuoteChoice, passage_text

NOT_SCORED = "quotes were chosen by shared words, because the encoder could not compare them with the question"
MAX_HITS = 10
"""Hits that are split into units. Scoring the units of all 100 hits that a request may ask for would take seconds."""
_log = logging.getLogger("rag.quoting")


@dataclass(frozen=True, slots=True)
class QuoteResult:
    quotation: Quotation | None = None
    """None if no unit answers the question."""
    confidence: float | None = None
    """In [0, 1]; see `Selection.confidence`. None if there was nothing to compare, or no encoder to do so."""
    note: str = ""
    """What could not be done, and why."""


class Quoter:
    """Chooses the units of the hits that answer a question.

    Args:
        scorer: Compares the question with units by late interaction.
        min_confidence: Below it, the documents do not hold an answer, unless a hit contains exactly what the question
            names; see `Selection.confidence`.
        refusal: The sentence that a choosing language model may write instead of a quote.
    """

    def __init__(self, scorer: Reranker, *, min_confidence: float, refusal: str) -> None:
        self._scorer = scorer
        self._min_confidence = min_confidence
        self._refusal = refusal

    async def quote(
        self, question: str, hits: Sequence[Hit], neighbours: Mapping[str, Chunk], choice: QuoteChoice
    ) -> QuoteResult:
        """What may be quoted.

        Args:
            hits: Best first, numbered from 1 in the answer. Only the first `MAX_HITS` are quoted.
            neighbours: The chunks before and after the hits, by id, as far as they can be had.
            choice: Whether the ranking decides what is quoted, or the language model, among the best units.
        """
        candidates = await asyncio.to_thread(_candidates, question, hits, neighbours)
        if not candidates:
            return QuoteResult()
        scores, note = await self._scores(question, [each.unit.key for each in candidates])
        if choice == "ranking":
            selection = select_quotes(candidates, scores)
        else:
            selection = select(candidates, scores, at_most=MAX_CANDIDATES, min_ratio=0.0)
        if note:
            return QuoteResult(self._quotation(selection, choice, hits, neighbours), note=note)
        is_near = selection.confidence >= self._min_confidence or any(hit.is_exact for hit in hits)
        quotation = self._quotation(selection, choice, hits, neighbours) if is_near else None
        return QuoteResult(quotation, selection.confidence)

    async def _scores(self, question: str, texts: Sequence[str]) -> tuple[list[float], str]:
        try:
            return await self._scorer.rerank(question, texts), ""
        except RagError as error:
            _log.warning("quotes were not scored by the encoder: %s", error.message)
            return word_overlap(question, texts), NOT_SCORED

    def _quotation(
        self, selection: Selection, choice: QuoteChoice, hits: Sequence[Hit], neighbours: Mapping[str, Chunk]
    ) -> Quotation:
        quotes = tuple(_quote(each, hits[each.source - 1], neighbours) for each in selection.candidates)
        if choice == "ranking":
            return Quotation(quotes, fixed_text(quotes))
        return Quotation(quotes, chosen_text(quotes, at_most=MAX_QUOTES, refusal=self._refusal))


def _candidates(question: str, hits: Sequence[Hit], neighbours: Mapping[str, Chunk]) -> list[Candidate]:
    """The distinct units of the best hits. A unit found in two hits is assigned to the better one."""
    cosines = [hit.cosine for hit in hits if hit.cosine is not None]
    mean_cosine = sum(cosines) / len(cosines) if cosines else 0.0
    found: dict[tuple[str, int, int], Candidate] = {}
    for number, hit in enumerate(hits[:MAX_HITS], start=1):
        chunk, score = hit.chunk, mean_cosine if hit.cosine is None else hit.cosine
        for unit in _units(hit, neighbours):
            candidate = Candidate(unit, number, chunk.version_id, chunk.page_at(unit.start), score)
            found.setdefault((chunk.version_id, unit.start, unit.end), candidate)
    candidates = [each for each in found.values() if _may_answer(each.unit, question)]
    return _without_other_rows(candidates, question, [hit.chunk for hit in hits])


def _may_answer(unit: Unit, question: str) -> bool:
    if unit.kind == "field" and not can_answer(unit, question):
        return False
    return not repeats_question(unit, question)


def _without_other_rows(candidates: list[Candidate], question: str, chunks: Sequence[Chunk]) -> list[Candidate]:
    """Without the rows and records that lack the identifiers of the question.

    To an encoder `PX-033` and `PX-032` are nearly the same. An identifier without a digit may be written differently in
    the document, so it counts only if a row has it. If only the text around rows has it, such as the number of an
    invoice, the question means the rows of this passage.
    """
    identifiers = question_words(question).identifiers
    matchers = [contains_all([identifier]) for identifier in identifiers]
    named = [each for each in candidates if any(contains(folded(each.unit.text)) for contains in matchers)]
    has_number = any(char.isdigit() for identifier in identifiers for char in identifier)
    if not (has_number or any(each.unit.is_tabular for each in named)):
        return candidates
    if not any(each.unit.is_tabular for each in named):
        passages = {
            number
            for number, chunk in enumerate(chunks, start=1)
            if any(contains(folded(passage_text(chunk))) for contains in matchers)
        }
        return [each for each in candidates if each.source in passages or not each.unit.is_tabular]
    return [each for each in candidates if each in named or not each.unit.is_tabular]


def _units(hit: Hit, neighbours: Mapping[str, Chunk]) -> list[Unit]:
    _, _, below = hit.chunk.heading.partition(" > ")
    return units_of(window_of(hit, neighbours), below.rpartition(" > ")[2], hit.chunk.filename)


def _quote(candidate: Candidate, hit: Hit, neighbours: Mapping[str, Chunk]) -> Quote:
    unit = candidate.unit
    is_block = unit.text.endswith("```")
    return Quote(
        text=unit.text,
        marked=f"{unit.text}{chr(10) if is_block else ' '}[{candidate.source}]",
        source=candidate.source,
        start=unit.start,
        end=unit.end,
        page=candidate.page,
        rectangles=rectangles_around(hit, neighbours, unit.start, unit.end),
        is_inline=unit.kind == "sentence",
    )
