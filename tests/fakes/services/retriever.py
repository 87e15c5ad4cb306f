from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from rag.auth.caller import caller_from_header
from rag.catalog.documents.visibility import Snapshot
from rag.errors import BrokenFile, DependencyUnavailable, FileNotFound, FileTooLarge, RagError
from rag.http.auth.admission import CALLER_HEADER
from rag.http.bodies.hits import sources_to_wire
from rag.http.bodies.search_outputs import search_output_to_wire
from rag.http.bodies.wire import PrepareRequest
from rag.http.error_table import error_response
from rag.http.native.explanation import explained_searches
from rag.http.native.internal.background_wire import QueueResponseRequest, WriteResponseRequest
from rag.http.native.internal.compaction_wire import CompactRequest, OpenCompactionRequest, compaction_to_wire
from rag.http.native.internal.count_wire import CountTokensRequest
from rag.http.native.internal.model_search_wire import CutTextRequest, SearchForModelRequest
from rag.http.native.internal.read_file_wire import ReadBytesRequest, ReadFileRequest
from rag.http.native.internal.response_wire import EarlierTurnsRequest, KeepCompletionRequest, KeepResponseRequest
from rag.http.v1.applications.documents_app import documents_app
from rag.http.v1.documents.parts import V1Parts
from rag.library.answers.background import BackgroundRegistry
from rag.library.answers.chat_completions import CompletionRegistry
from rag.library.answers.compaction_seal import CompactionSeal
from rag.library.answers.conversations import ConversationRegistry
from rag.library.answers.earlier_turns import TurnsQuery
from rag.library.answers.responses import ResponseRegistry
from rag.retrieve.compaction.compactor import Compactor
from rag.retrieve.model_search import ModelSearch
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.pipeline import RetrievalPipeline, RetrievalRequest
from rag.retrieve.planning.plan import Plan
from rag.retrieve.prompting.prompt_builder import PromptBuilder
from rag.retrieve.prompting.template_check import open_templates
from rag.retrieve.result import RetrievalResult
from rag.types import Hit, JsonObject, Quotation
from tests.fakes.language_model.tokenizer import FakeTokenizer
from tests.fakes.store.vector_store import FakeVectorStore
from tests.support.acting import acting

_templates = functools.cache(functools.partial(open_templates, None, fence=True))

TOP_K = 4
"""Passages of a search whose request does not set the number."""


@dataclass
class Compaction:
    """The real parts that make a compaction."""

    compactor: Compactor
    seal: CompactionSeal
    requests: list[CompactRequest] = field(default_factory=list)


class FakeRetriever:
    """The Retriever service, over HTTP, as the edge sees it: finds the same hits for every question.

    Args:
        hits: None: nothing relevant.
        note: What could not be done as it was asked for.
        failure: What every question is refused with.
        responses: Where responses are kept; None: nowhere.
        conversations: In the same catalog, as `completions`.
        compaction: Makes compactions, and seals and opens them; None: nothing can be compacted.
    """

    def __init__(
        self,
        hits: Sequence[Hit] = (),
        note: str = "",
        failure: RagError | None = None,
        responses: ResponseRegistry | None = None,
        conversations: ConversationRegistry | None = None,
        completions: CompletionRegistry | None = None,
        background: BackgroundRegistry | None = None,
        compaction: Compaction | None = None,
    ) -> None:
        self.hits = hits
        self.failure = failure
        self.note = note
        self.quotation = Quotation((), {"choice": [""]})
        """What every quoted answer may quote."""
        self.prompt_messages: list[dict[str, str]] = []
        """The prompt of every question, instead of token ids; empty: the prompt is token ids."""
        self.prepared: list[dict[str, Any]] = []
        self.files: dict[str, tuple[str, str]] = {}
        """Names and texts of files by their ids. Attached bytes are text; those of a PDF are broken."""
        self.contents: dict[str, bytes] = {}
        """Bytes of files by their ids."""
        self.turns_queries: list[TurnsQuery] = []
        self.found: dict[str, Sequence[Hit]] = {}
        """What each query of the language model finds; `hits` for all others."""
        self.searches: list[dict[str, Any]] = []
        """The searches of the language model."""
        prompts = PromptBuilder(_templates(), FakeTokenizer())
        pipeline = cast(RetrievalPipeline, self)
        self._model_search = ModelSearch(pipeline, prompts, FakeVectorStore())
        self._responses = responses
        self._completions = completions
        self.background = background
        self.compaction = compaction
        routes: list[BaseRoute] = [
            Route("/prepare", self._prepare, methods=["POST"]),
            Route("/readyz", self._ready),
            Route("/keep_response", self._keep_response, methods=["POST"]),
            Route("/keep_completion", self._keep_completion, methods=["POST"]),
            Route("/earlier_turns", self._earlier_turns, methods=["POST"]),
            Route("/count_tokens", self._count_tokens, methods=["POST"]),
            Route("/queue_response", self._queue_response, methods=["POST"]),
            Route("/lease_response", self._lease_response, methods=["POST"]),
            Route("/write_response", self._write_response, methods=["POST"]),
            Route("/search_for_model", self._search_for_model, methods=["POST"]),
            Route("/cut_text", self._cut_text, methods=["POST"]),
            Route("/read_file", self._read_file, methods=["POST"]),
            Route("/read_bytes", self._read_bytes, methods=["POST"]),
            Route("/compact", self._compact, methods=["POST"]),
            Route("/open_compaction", self._open_compaction, methods=["POST"]),
        ]
        if responses is not None:
            nothing: Any = None
            names = [part.name for part in fields(V1Parts)]
            registries = {"responses": lambda: responses, "conversations": lambda: conversations}
            completed = {"completions": lambda: completions, "background": lambda: background}
            parts = V1Parts(**{**dict.fromkeys(names, nothing), **registries, **completed})
            routes.append(Mount("/v1", documents_app(parts)))
        self.app = Starlette(routes=routes)

    async def _keep_response(self, request: Request) -> Response:
        wanted = KeepResponseRequest.parse(await request.json())
        if self._responses is None:
            return error_response(DependencyUnavailable("the catalog is closed"))
        try:
            self._responses.insert(wanted.parsed())
        except RagError as error:
            return error_response(error)
        return JSONResponse({})

    async def _keep_completion(self, request: Request) -> Response:
        wanted = KeepCompletionRequest.parse(await request.json())
        if self._completions is None:
            return error_response(DependencyUnavailable("the catalog is closed"))
        self._completions.insert(wanted.parsed())
        return JSONResponse({})

    async def _queue_response(self, request: Request) -> Response:
        wanted = QueueResponseRequest.parse(await request.json())

        def enqueue(registry: BackgroundRegistry) -> JsonObject:
            registry.enqueue(*wanted.parsed())
            return {}

        return self._on_background(request, enqueue)

    async def _lease_response(self, request: Request) -> Response:
        def lease(registry: BackgroundRegistry) -> JsonObject:
            leased = registry.lease()
            return {"leased": None if leased is None else asdict(leased)}

        return self._on_background(request, lease)

    async def _write_response(self, request: Request) -> Response:
        wanted = WriteResponseRequest.parse(await request.json())
        return self._on_background(request, lambda registry: {"written": registry.write(wanted.parsed())})

    def _on_background(self, request: Request, work: Callable[[BackgroundRegistry], JsonObject]) -> Response:
        """What the work returns, as the caller of the request."""
        if self.background is None:
            return error_response(DependencyUnavailable("the catalog is closed"))
        with acting(caller_from_header(request.headers[CALLER_HEADER])):
            try:
                return JSONResponse(work(self.background))
            except RagError as error:
                return error_response(error)

    async def _earlier_turns(self, request: Request) -> Response:
        wanted = EarlierTurnsRequest.parse(await request.json())
        assert self._responses is not None
        self.turns_queries.append(wanted.parsed())
        try:
            turns = self._responses.earlier_turns(wanted.parsed())
        except RagError as error:
            return error_response(error)
        return JSONResponse(asdict(turns))

    async def _count_tokens(self, request: Request) -> Response:
        wanted = CountTokensRequest.parse(await request.json())
        return JSONResponse({"tokens": FakeTokenizer().measure(wanted.parsed(), wanted.template_values)})

    async def retrieve(self, request: RetrievalRequest) -> RetrievalResult:
        """As a `RetrievalPipeline`."""
        hits = tuple(self.found.get(request.text, self.hits))
        options = RetrieveOptions(top_k=TOP_K, min_cosine=-1).with_overrides(request.overrides)
        snapshot = Snapshot(request.vector_store, 1, request.vector_store, "the-encoder", 8)
        return RetrievalResult(hits, options, Plan((request.text,), note=self.note), snapshot, {}, hits)

    async def _search_for_model(self, request: Request) -> Response:
        try:
            wanted = SearchForModelRequest.parse(data := await request.json())
            self.searches.append(data)
            if self.failure is not None:
                raise self.failure
        except RagError as error:
            return error_response(error)
        output, results = await self._model_search.search(wanted.parsed())
        explanations = explained_searches(wanted.parsed(), output, results) if wanted.explain else ()
        return JSONResponse(search_output_to_wire(replace(output, explanations=tuple(explanations))))

    async def _cut_text(self, request: Request) -> Response:
        wanted = CutTextRequest.parse(await request.json())
        text, tokens = self._model_search.cut(wanted.text, wanted.max_tokens)
        return JSONResponse({"text": text, "tokens": tokens})

    async def _read_file(self, request: Request) -> Response:
        wanted = ReadFileRequest.parse(await request.json())
        try:
            if wanted.file_id is None:
                filename, text = wanted.filename or "", wanted.content().decode()
            elif wanted.file_id in self.files:
                filename, text = self.files[wanted.file_id]
            else:
                raise FileNotFound(f"there is no file {wanted.file_id}", param="file_id")
            if text.startswith("%PDF"):
                raise BrokenFile(f"{filename} is damaged", param=filename)
        except RagError as error:
            return error_response(error)
        return JSONResponse({"filename": filename, "text": text, "tokens": FakeTokenizer().count(text)})

    async def _read_bytes(self, request: Request) -> Response:
        wanted = ReadBytesRequest.parse(await request.json())
        if (content := self.contents.get(wanted.file_id)) is None:
            return error_response(FileNotFound(f"there is no file {wanted.file_id}", param="file_id"))
        if len(content) > wanted.max_bytes:
            return error_response(FileTooLarge("it is too large", param="file_id"))
        return JSONResponse({"data": base64.b64encode(content).decode()})

    async def _compact(self, request: Request) -> Response:
        wanted = CompactRequest.parse(await request.json())
        assert self.compaction is not None
        self.compaction.requests.append(wanted)
        made = await self.compaction.compactor.compact(wanted.parsed())
        with acting(caller_from_header(request.headers[CALLER_HEADER])):
            sealed = self.compaction.seal.seal([*made.items, *wanted.last])
        return JSONResponse(compaction_to_wire(made, sealed))

    async def _open_compaction(self, request: Request) -> Response:
        wanted = OpenCompactionRequest.parse(await request.json())
        assert self.compaction is not None
        with acting(caller_from_header(request.headers[CALLER_HEADER])):
            try:
                return JSONResponse({"items": self.compaction.seal.open(wanted.encrypted_content)})
            except RagError as error:
                return error_response(error)

    async def _ready(self, _: Request) -> Response:
        return JSONResponse({"status": "ready", "embedder": "the-encoder"})

    async def _prepare(self, request: Request) -> Response:
        try:
            PrepareRequest.parse(data := await request.json())
            if self.failure is not None:
                raise self.failure
        except RagError as error:
            return error_response(error)
        self.prepared.append(data)
        token_ids = [] if self.prompt_messages else list(range(1, 8))
        made = {"token_ids": token_ids, "sources": sources_to_wire(self.hits), "timings_ms": {}, "key": ""}
        quotation = None if data.get("style") != "quoted" else asdict(self.quotation)
        return JSONResponse(
            {
                **made,
                "messages": self.prompt_messages,
                "note": self.note,
                "queries": [data["question"]],
                "quotation": quotation,
                "confidence": None,
                "top_k": data.get("top_k", TOP_K),
            }
        )
