"""`file_search` as a tool that the language model calls, with queries of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field

from openai.types.responses import (
    ResponseFileSearchCallCompletedEvent,
    ResponseFileSearchCallInProgressEvent,
    ResponseFileSearchCallSearchingEvent,
    ResponseFileSearchToolCall,
)

from rag.errors import Forbidden, InvalidRequest, NotFound, RagError
from rag.http.clients.remote_tools import RemoteTools
from rag.http.v1.function_calling.functions import FunctionIn
from rag.http.v1.responses.output.objects import ItemStatus, ResponseMetadata, new_id
from rag.http.v1.responses.output.output_items import ItemStep, NewEvent, SourcesNumbered
from rag.http.v1.responses.tools.tool import ModelCall, ToolEvent, ToolOutput
from rag.types import Hit, JsonMapping, JsonObject, KnownPassage, SearchOutput

NAME = "file_search"
MAX_QUERIES = 3
_MAX_QUERY_CHARS = 2000
_FUNCTION = FunctionIn(
    name=NAME,
    description="Searches the user's documents and returns passages with numbers. Search before you answer a question "
    "that the documents may answer. Cite the passages that you use by their numbers, like [1].",
    parameters={
        "type": "object",
        "properties": {
            "queries": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 200},
                "minItems": 1,
                "maxItems": MAX_QUERIES,
                "description": "What to look for: a short question or keywords each.",
            }
        },
        "required": ["queries"],
        "additionalProperties": False,
    },
)
_NO_QUERIES = 'The search failed: give the queries as {"queries": ["..."]}.'
_FAILED = "The search failed. Answer without it, and say that the documents could not be searched."
_NO_ROOM = "There is no room for more passages. Answer from those that you have."


@dataclass(slots=True, eq=False)
class _OpenSearch:
    """A `file_search_call` item."""

    reply: ResponseMetadata
    queries: Sequence[str]
    output_index: int = 0
    found: SearchOutput | None = None
    has_failed: bool = False
    _id: str = field(default_factory=lambda: new_id("fs"))

    def item(self, status: ItemStatus) -> ResponseFileSearchToolCall:
        shown = "failed" if self.has_failed else status
        if self.found is None:
            return self.reply.search_call(self._id, shown, self.queries, ())
        found = self.found
        return self.reply.search_call(self._id, shown, self.queries, found.hits, found.numbers, found.explanations)

    def added(self) -> Iterator[NewEvent]:
        yield ResponseFileSearchCallInProgressEvent, "response.file_search_call.in_progress", self._place

    def searching(self) -> Iterator[NewEvent]:
        yield ResponseFileSearchCallSearchingEvent, "response.file_search_call.searching", self._place

    def done(self) -> Iterator[NewEvent]:
        if not self.has_failed:
            yield ResponseFileSearchCallCompletedEvent, "response.file_search_call.completed", self._place

    @property
    def _place(self) -> JsonObject:
        return {"item_id": self._id, "output_index": self.output_index}


class SearchTool:
    """Remembers what it has found, so that a passage keeps its number over all searches of a response.

    Args:
        options: Fields of `SearchForModelRequest` that say where and how to search.
        explain: Whether each search is explained.
    """

    def __init__(
        self, tools: RemoteTools, reply: ResponseMetadata, options: JsonMapping, *, explain: bool = False
    ) -> None:
        self._tools = tools
        self._reply = reply
        self._options = options
        self._explain = explain
        self.sources: list[Hit] = []
        """What the answer may cite, by number from 1."""
        self.has_searched = False
        """Whether a search has succeeded."""
        self.notes: list[str] = []
        """Searches that failed, and why."""

    @property
    def function(self) -> FunctionIn:
        return _FUNCTION

    def begin(self, call: ModelCall) -> None:
        """The item begins with its queries, which are known when the call is complete."""

    def written(self, call: ModelCall, arguments: str) -> ItemStep:
        raise AssertionError("a search has no item before it runs")

    async def run(self, call: ModelCall, max_tokens: int) -> AsyncGenerator[ToolEvent, None]:
        async for event in self.search(queries_of(call.arguments), max_tokens):
            yield event

    async def search(
        self, queries: Sequence[str], max_tokens: int, history: Sequence[JsonMapping] = ()
    ) -> AsyncGenerator[ToolEvent, None]:
        """Search for each query, and yield what the stream shows of it and, at the end, the text for the language
        model.

        Args:
            history: The conversation that a question belongs to, as fields of `HistoryTurn`.
        """
        item = _OpenSearch(self._reply, queries)
        yield ItemStep(item, item.searching)
        output = ToolOutput(_NO_QUERIES)
        if queries:
            output = await self._found(item, max_tokens, history)
            yield SourcesNumbered(tuple(self.sources), None if item.found is None else item.found.top_k)
        item.has_failed = item.found is None
        yield ItemStep(item, is_done=True)
        yield output

    async def _found(self, item: _OpenSearch, max_tokens: int, history: Sequence[JsonMapping]) -> ToolOutput:
        options = {**self._options, "history": list(history)} if history else self._options
        known = [_known(hit) for hit in self.sources]
        try:
            found = await self._tools.search(item.queries, options, known, max_tokens, explain=self._explain)
        except (InvalidRequest, NotFound, Forbidden):
            raise  # the request names something that does not exist or is not allowed
        except RagError as error:
            self.notes.append(f"file_search: a search failed: {error.message}")
            return ToolOutput(_FAILED)
        item.found, self.has_searched = found, True
        if found.note:
            self.notes.append(found.note)
        by_number = dict(zip(found.numbers, found.hits, strict=True))
        self.sources += [by_number[number] for number in sorted(by_number) if number > len(known)]
        return ToolOutput(found.text, found.tokens) if found.text else ToolOutput(_NO_ROOM)


def _known(hit: Hit) -> KnownPassage:
    chunk = hit.chunk
    return KnownPassage(chunk.chunk_id, chunk.file_id, chunk.start, chunk.end)


def queries_of(arguments: str) -> list[str]:
    """The queries of a call, as many as are searched; none if the arguments are not what the function takes."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return []
    found = given.get("queries", given.get("query")) if isinstance(given, dict) else None
    texts = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    # JSON can escape halves of characters, which no encoding has.
    whole = (text.encode("utf-8", "replace").decode() for text in texts if isinstance(text, str))
    cleaned = (text.replace("\0", " ").strip()[:_MAX_QUERY_CHARS] for text in whole)
    return list(dict.fromkeys(filter(None, cleaned)))[:MAX_QUERIES]
