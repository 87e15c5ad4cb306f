"""The texts of one request, assembled from their deltas."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace

from rag.generate.citation_filter import CitationFilter
from rag.generate.events import AnswerEvent, CompletedText, Done
from rag.generate.fence_filter import FenceFilter
from rag.ports import TokenStream
from rag.types import Hit, ReasoningDelta, StreamEnd, TextDelta


class TextAssembler:
    """Filters the citations of each text, removes copied fence tags, and collects the sent text.

    Args:
        sources: The sources that citations can name; None leaves citations as they are.
        has_fence: Whether the prompt has a fence that the model may copy.
    """

    def __init__(self, sources: Sequence[Hit] | None, *, has_fence: bool = False) -> None:
        self._sources = sources
        self._has_fence = has_fence
        self._fences: dict[int, FenceFilter] = {}
        self._filters: dict[int, CitationFilter] = {}
        self._sent: dict[int, list[str]] = {}

    def add(self, delta: TextDelta) -> TextDelta | None:
        """What can be sent now; None if nothing can, because a citation or tag may have begun."""
        if self._has_fence:
            fence = self._fences.setdefault(delta.index, FenceFilter())
            delta = replace(delta, text=fence.feed(delta.text))
        if (citations := self._filter(delta.index)) is not None:
            delta = replace(delta, text=citations.feed(delta.text))
        self._sent.setdefault(delta.index, []).append(delta.text)
        return delta if delta.text or delta.logprobs or delta.tool_calls else None

    def flush(self) -> Iterator[TextDelta]:
        """The text that was held back at the end of each text. Call it once, after the last delta."""
        for index in self._sent:
            rest = self._fences[index].close() if index in self._fences else ""
            if (citations := self._filters.get(index)) is not None:
                rest = citations.feed(rest) + citations.close()
            if rest:
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


async def text_events(
    stream: TokenStream, sources: Sequence[Hit] | None = None, *, has_fence: bool = False
) -> AsyncGenerator[AnswerEvent, None]:
    """The events of texts, with the citations of `sources`; the arguments are those of `TextAssembler`."""
    texts = TextAssembler(sources, has_fence=has_fence)
    async for delta in stream:
        if isinstance(delta, StreamEnd):
            for rest in texts.flush():
                yield rest
            yield delta.usage
            yield Done(texts.completed(delta), {})
            return
        if isinstance(delta, ReasoningDelta):
            yield delta
        elif (sent := texts.add(delta)) is not None:
            yield sent
