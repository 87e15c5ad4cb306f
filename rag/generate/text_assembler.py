"""The texts of one request, assembled from their deltas."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace

from rag.generate.citation_filter import CitationFilter
from rag.generate.events import AnswerEvent, CompletedText, Done
from rag.ports import TokenStream
from rag.types import Hit, StreamEnd, TextDelta


class TextAssembler:
    """Filters the citations of each text and remembers what was sent.

    Args:
        sources: The sources that citations can name; None leaves the texts as they are.
    """

    def __init__(self, sources: Sequence[Hit] | None) -> None:
        self._sources = sources
        self._filters: dict[int, CitationFilter] = {}
        self._sent: dict[int, list[str]] = {}

    def add(self, delta: TextDelta) -> TextDelta | None:
        """What can be sent now; None if nothing can, because a citation may just be starting."""
        if (citations := self._filter(delta.index)) is not None:
            delta = replace(delta, text=citations.feed(delta.text))
        self._sent.setdefault(delta.index, []).append(delta.text)
        return delta if delta.text or delta.logprobs or delta.tool_calls else None

    def flush(self) -> Iterator[TextDelta]:
        """The end of each text that was held back. Call it once, after the last delta."""
        for index, citations in self._filters.items():
            if rest := citations.close():
                self._sent[index].append(rest)
                yield TextDelta(rest, index)

    def completed(self, end: StreamEnd) -> tuple[CompletedText, ...]:
        return tuple(self._completed(index, end) for index in range(len(end.all_ends())))

    def _completed(self, index: int, end: StreamEnd) -> CompletedText:
        text, text_end = "".join(self._sent.get(index, ())), end.all_ends()[index]
        done = CompletedText(text, text_end.finish_reason, text_end.stop_reason, prompt_logprobs=end.prompt_logprobs)
        if (citations := self._filters.get(index)) is None:
            return done
        return replace(done, citations=tuple(citations.citations), citations_removed=citations.removed)

    def _filter(self, index: int) -> CitationFilter | None:
        if self._sources is None:
            return None
        if index not in self._filters:
            self._filters[index] = CitationFilter(self._sources)
        return self._filters[index]


async def text_events(stream: TokenStream) -> AsyncGenerator[AnswerEvent, None]:
    """The events of texts that are written without documents: no sources, no citations."""
    texts = TextAssembler(None)
    async for delta in stream:
        if isinstance(delta, StreamEnd):
            yield delta.usage
            yield Done(texts.completed(delta), {})
            return
        if (sent := texts.add(delta)) is not None:
            yield sent
