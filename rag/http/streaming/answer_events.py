"""The events of an answer, as `/ask` streams them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict

from rag.generate.citations import Citation
from rag.generate.pipeline import AnswerEvent, Done, SourcesFound
from rag.http.hits import sources_to_wire
from rag.http.streaming.event_stream import Event
from rag.types import JsonObject, TextDelta, Usage


async def answer_events(events: AsyncGenerator[AnswerEvent, None]) -> AsyncGenerator[Event, None]:
    """`sources`, many `token`, `usage`, `done`."""
    async for event in events:
        yield _to_wire(event)


def citation_to_wire(citation: Citation) -> JsonObject:
    names = ("index", "file_id", "start", "end")
    scored = {} if citation.score is None else {"score": citation.score, "weak": citation.weak}
    return {**{name: getattr(citation, name) for name in names}, **scored}


def _to_wire(event: AnswerEvent) -> Event:
    match event:
        case SourcesFound(hits):
            return "sources", {"sources": sources_to_wire(hits)}
        case TextDelta(text):
            return "token", {"text": text}
        case Usage():
            return "usage", asdict(event)
        case Done():
            return "done", _done_to_wire(event)


def _done_to_wire(done: Done) -> JsonObject:
    verified = {} if done.weakly_supported is None else {"weakly_supported": done.weakly_supported}
    return {
        "finish_reason": done.finish_reason,
        "citations": [citation_to_wire(citation) for citation in done.citations],
        "citations_removed": done.removed,
        **verified,
        "timings_ms": dict(done.timings_ms),
        **({"note": done.note} if done.note else {}),
    }
