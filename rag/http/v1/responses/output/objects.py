"""Builds responses and their parts, with OpenAI's own types."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from openai.types.responses import (
    Response,
    ResponseError,
    ResponseFileSearchToolCall,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseOutputText,
    ResponseStatus,
    ResponseUsage,
)
from openai.types.responses.response import IncompleteDetails
from openai.types.responses.response_file_search_tool_call import Result
from openai.types.responses.response_output_text import AnnotationFileCitation, Logprob, LogprobTopLogprob
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails
from pydantic import BaseModel

from rag.errors import Overloaded, RagError
from rag.generate.citations import Citation
from rag.http.bodies.hits import rectangles_to_wire
from rag.http.v1.responses.output.request_fields import DefaultSampling, request_fields
from rag.http.v1.responses.request.body import RESULTS, ResponsesBody
from rag.http.v1.text_generation.token_logprobs import bounded
from rag.records import DEFAULT_STORE
from rag.types import Hit, JsonObject, TokenLogprob, Usage

ItemStatus = Literal["in_progress", "completed", "incomplete"]


@dataclass(frozen=True, slots=True)
class ResponseMetadata:
    """The metadata that a response has in all its states."""

    body: ResponsesBody
    searches: bool
    """Whether documents are searched."""
    defaults: DefaultSampling
    top_k: int | None = None
    """The maximum number of passages of the search; None while it is unknown."""
    runs_tools: bool = False
    """Whether the language model may call tools that the service runs."""
    stored: bool = False
    """Whether the response is kept."""
    notes: Sequence[str] = ()
    """What of the request was ignored."""
    id: str = field(default_factory=lambda: f"resp_{uuid.uuid4().hex}")
    created_at: int = field(default_factory=lambda: int(time.time()))

    @property
    def has_form(self) -> bool:
        """Whether the request prescribes the form of the text."""
        return bool(self.body.sampling().get("structured_outputs"))

    def response(
        self,
        status: ResponseStatus,
        output: Iterable[ResponseOutputItem] = (),
        *,
        usage: Usage | None = None,
        error: RagError | None = None,
        more: JsonObject | None = None,
    ) -> Response:
        incomplete = IncompleteDetails(reason="max_output_tokens") if status == "incomplete" else None
        own: JsonObject = {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "error": None if error is None else error_object(error),
            "incomplete_details": incomplete,
            "output": list(output),
            "usage": None if usage is None else usage_object(usage),
        }
        is_bounded = self.searches or self.runs_tools
        shown = request_fields(self.body, self.defaults, searches=is_bounded, top_k=self.top_k, usage=usage)
        if self.runs_tools and self.body.truncation is None:
            shown["truncation"] = "disabled"
        return Response(**own, **shown, store=self.stored and error is None, **(more or {}))

    def search_call(
        self,
        item_id: str,
        status: Literal["in_progress", "completed", "incomplete", "failed"],
        queries: Sequence[str],
        hits: Sequence[Hit],
        numbers: Sequence[int] = (),
        explanations: Sequence[JsonObject] = (),
    ) -> ResponseFileSearchToolCall:
        """A search as an output item.

        Args:
            numbers: Of the hits as sources of the answer, if these are not simply in the order of the hits.
            explanations: Why each candidate of each query was found or not.
        """
        shown = status == "completed" and self.body.includes(RESULTS)
        results = [result(hit, self._only_store) for hit in hits] if shown else None
        if results is not None and numbers:
            numbered = zip(results, numbers, strict=True)
            results = [each.model_copy(update={"source": number}) for each, number in numbered]
        more: JsonObject = {"explain": list(explanations)} if explanations else {}
        return ResponseFileSearchToolCall(
            id=item_id, type="file_search_call", status=status, queries=list(queries), results=results, **more
        )

    @property
    def _only_store(self) -> str | None:
        """The vector store of all hits, as the request names it; None if several are searched."""
        tool = self.body.file_search
        if tool is None:
            return DEFAULT_STORE
        return tool.vector_store_ids[0] if len(tool.vector_store_ids) == 1 else None


def function_call(
    item_id: str, status: ItemStatus, call_id: str, name: str, arguments: str
) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        id=item_id, type="function_call", status=status, call_id=call_id, name=name, arguments=arguments
    )


def message(
    item_id: str, status: ItemStatus, content: Sequence[ResponseOutputText | ResponseOutputRefusal]
) -> ResponseOutputMessage:
    return ResponseOutputMessage(id=item_id, type="message", role="assistant", status=status, content=list(content))


def output_text(
    text: str, annotations: Sequence[AnnotationFileCitation] = (), logprobs: Sequence[TokenLogprob] = ()
) -> ResponseOutputText:
    return ResponseOutputText(
        type="output_text", text=text, annotations=list(annotations), logprobs=logprob_objects(logprobs)
    )


def annotation(citation: Citation, hit: Hit) -> AnnotationFileCitation:
    """A citation. Besides OpenAI's fields it has its end, the number of the source, the chunk and the score."""
    score: JsonObject = {} if citation.score is None else {"support": citation.score, "weak": citation.weak}
    extra: JsonObject = {"end_index": citation.end, "source": citation.index, "chunk_id": hit.chunk.chunk_id, **score}
    if citation.quote is not None:
        extra["quote"] = asdict(citation.quote)
    return AnnotationFileCitation(
        type="file_citation", file_id=citation.file_id, filename=hit.chunk.filename, index=citation.start, **extra
    )


def result(hit: Hit, store: str | None = None) -> Result:
    """A hit as a result of the file search tool.

    Args:
        store: The hit's vector store, if it is known.
    """
    chunk = hit.chunk
    extra: JsonObject = {
        "vector_store_id": store,
        "chunk_id": chunk.chunk_id,
        "page": chunk.page,
        "pages": chunk.page_numbers,
        "rectangles": rectangles_to_wire(chunk.rectangles),
        "heading": chunk.heading,
        "header": chunk.header,
        "start": chunk.start,
        "end": chunk.end,
    }
    return Result(
        file_id=chunk.file_id,
        filename=chunk.filename,
        score=round(hit.score, 6),
        text=chunk.text,
        attributes=dict(chunk.attributes),
        **extra,
    )


def usage_object(usage: Usage) -> ResponseUsage:
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputTokensDetails(cached_tokens=usage.cached_tokens, cache_write_tokens=0),
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=usage.reasoning_tokens),
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )


def error_object(error: RagError) -> ResponseError:
    """An error with OpenAI's `code`, which is one of a few, and ours as `type`."""
    code: Literal["rate_limit_exceeded", "server_error"] = (
        "rate_limit_exceeded" if isinstance(error, Overloaded) else "server_error"
    )
    extra: JsonObject = {"param": error.param, "type": error.code}
    return ResponseError(code=code, message=error.message, **extra)


def logprob_objects(logprobs: Sequence[TokenLogprob]) -> list[Logprob]:
    return [
        Logprob(
            token=one.token,
            bytes=_bytes(one.token),
            logprob=bounded(one.logprob),
            top_logprobs=[
                LogprobTopLogprob(token=top.token, bytes=_bytes(top.token), logprob=bounded(top.logprob))
                for top in one.top
            ],
        )
        for one in logprobs
    ]


def dumped(model: BaseModel) -> JsonObject:
    return model.model_dump(mode="json", exclude_unset=True, by_alias=True, warnings=False)


def with_whole_seconds(response: JsonObject) -> JsonObject:
    """OpenAI's Python types write these times as floats, which OpenAI's client for .NET refuses."""
    times = {name: response.get(name) for name in ("created_at", "completed_at")}
    return {**response, **{name: int(value) for name, value in times.items() if value is not None}}


def _bytes(token: str) -> list[int]:
    """Empty if the token is part of a character: its bytes are unknown."""
    return [] if "\ufffd" in token else list(token.encode())


def new_id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"
