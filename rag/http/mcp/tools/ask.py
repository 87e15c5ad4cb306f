"""The tool `ask`. The client may cancel it, which stops the language model, and gets progress while it writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from pydantic import Field

from rag.errors import InternalError
from rag.http.error_table import error_from_event
from rag.http.fields.fail_fast import StrictModel
from rag.http.mcp.caller_service import CallerService
from rag.http.mcp.document_id import DocumentId
from rag.http.mcp.tools.tool import Report, StoreName, Tool
from rag.types import JsonObject


class AskArguments(StrictModel):
    question: str = Field(description="The question, in plain words.", max_length=100_000)
    vector_store: StoreName = "default"
    top_k: int | None = Field(None, ge=1, le=100, description="Maximum number of passages to answer from.")


async def _ask(service: CallerService, arguments: AskArguments, report: Report) -> JsonObject:
    async with aclosing(service.events("/ask", arguments.model_dump())) as events:
        answer, sources, done = await _read(events, report)
    citations = [
        _citation(service, arguments.vector_store, sources[number], _quotes(done["citations"], number, answer))
        for number in dict.fromkeys(citation["index"] for citation in done["citations"])
        if number in sources
    ]
    note = {"note": done["note"]} if done.get("note") else {}
    return {"answer": answer, "citations": citations, **note}


async def _read(
    events: AsyncIterator[tuple[str, JsonObject]], report: Report
) -> tuple[str, Mapping[int, JsonObject], JsonObject]:
    """The answer, its sources by their numbers, and the data of the last event."""
    answer, sources, steps = "", dict[int, JsonObject](), 0
    async for name, data in events:
        steps += 1
        if name == "sources":
            sources = {source["index"]: source for source in data["sources"]}
            await report(steps, f"{len(sources)} passages found")
        elif name == "token":
            answer += data["text"]
            await report(steps, f"{len(answer)} characters written")
        elif name == "error":
            raise error_from_event(data)
        elif name == "done":
            return answer, sources, data
    raise InternalError("the answer ended too early; try again")


def _quotes(citations: Sequence[JsonObject], number: int, answer: str) -> list[str]:
    """What a quoted answer quotes from a source, word for word."""
    quotes = [citation["quote"] for citation in citations if citation["index"] == number and citation.get("quote")]
    return [answer[quote["start"] : quote["end"]] for quote in quotes]


def _citation(service: CallerService, store: str, source: JsonObject, quotes: Sequence[str]) -> JsonObject:
    document = DocumentId(store, source["file_id"])
    return {
        "index": source["index"],
        "id": str(document),
        "title": source["filename"],
        "url": document.url(service.url, source["attributes"]),
        "heading": source["heading"],
        "page": source["page"],
        "quotes": list(quotes) or [source["text"]],
    }


ASK = Tool(
    name="ask",
    title="Ask the documents",
    description="Answer a question from the documents. Numbers in brackets in the answer refer to `citations`, which "
    "have the passages that support it.",
    arguments=AskArguments,
    run=_ask,
    scopes=("ask",),
)
