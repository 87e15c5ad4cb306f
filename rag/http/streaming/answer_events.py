"""The events of an answer, as `/ask` sends them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict

from rag.errors import InternalError
from rag.generate.citations import Citation
from rag.generate.events import AnswerEvent, AnswerStream, CompletedText, Done, SourcesFound
from rag.http.bodies.hits import sources_to_wire
from rag.http.bodies.note_codes import note_codes
from rag.http.streaming.event_stream import Event
from rag.types import Hit, JsonObject, ReasoningDelta, TextDelta, Usage


async def answer_to_wire(answer: AnswerStream) -> AsyncGenerator[Event, None]:
    """The events `sources`, many `thinking` if the model thinks, many `token`, `usage`, `done`."""
    async for event in answer:
        yield _to_wire(event)


async def whole_answer(answer: AnswerStream) -> JsonObject:
    """The complete answer: its text, its sources, the data of `done`, and `thinking` if the model thought."""
    hits: Sequence[Hit] = ()
    thoughts: list[str] = []
    usage = Usage(0, 0)
    async for event in answer:
        match event:
            case SourcesFound():
                hits = event.hits
            case ReasoningDelta(text):
                thoughts.append(text)
            case Usage():
                usage = event
            case Done():
                thinking = {"thinking": "".join(thoughts)} if thoughts else {}
                texts = {"answer": event.texts[0].text, **thinking}
                return {**texts, "sources": sources_to_wire(hits), "usage": asdict(usage), **_done_to_wire(event)}
    raise InternalError("the answer ended before it was complete")


def citation_fields(text: CompletedText) -> JsonObject:
    """A text's `citations`, `citations_removed` and, if citations were verified, `weakly_supported`."""
    verified = {} if text.weakly_supported is None else {"weakly_supported": text.weakly_supported}
    citations = [_citation_to_wire(citation) for citation in text.citations]
    return {"citations": citations, "citations_removed": text.citations_removed, **verified}


def _citation_to_wire(citation: Citation) -> JsonObject:
    score = {} if citation.score is None else {"score": citation.score, "weak": citation.weak}
    place = {"start": citation.start, "end": citation.end}
    quote = {} if citation.quote is None else {"quote": asdict(citation.quote)}
    return {"index": citation.index, "file_id": citation.file_id, **place, **score, **quote}


def style_fields(done: Done) -> JsonObject:
    """`style` if documents were searched, and `confidence` if the answer is quoted."""
    confidence = {} if done.confidence is None else {"confidence": round(done.confidence, 4)}
    return {} if done.style is None else {"style": done.style, **confidence}


def _to_wire(event: AnswerEvent) -> Event:
    match event:
        case SourcesFound(hits):
            return "sources", {"sources": sources_to_wire(hits)}
        case ReasoningDelta(text):
            return "thinking", {"text": text}
        case TextDelta(text):
            return "token", {"text": text}
        case Usage():
            return "usage", asdict(event)
        case Done():
            return "done", _done_to_wire(event)


def _done_to_wire(done: Done) -> JsonObject:
    return {
        "finish_reason": done.finish_reason,
        **style_fields(done),
        **citation_fields(done.texts[0]),
        "timings_ms": dict(done.timings_ms),
        **({"note": done.note, "note_codes": note_codes(done.note)} if done.note else {}),
    }
