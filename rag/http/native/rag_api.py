"""The native API of the public edge: one method for each route."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from rag.errors import Overloaded
from rag.generate.answer_cache import CachingGenerator
from rag.generate.citations import CitationMode
from rag.generate.pipeline import AnswerPipeline, AnswerRequest
from rag.generate.quoting import StyleOption
from rag.generate.verify import VERIFY_TIMEOUT_S, Verifier
from rag.http.auth.audit_trail import AuditTrail
from rag.http.auth.authorized_generator import AuthorizedGenerator
from rag.http.auth.metered_generator import MeteredGenerator
from rag.http.auth.signed_tokens.json_web_keys import JsonWebKeys
from rag.http.auth.token_limits import TokenLimits
from rag.http.bodies.wire import RetrieveRequest
from rag.http.clients.remote import RemoteGenerator, RemotePromptPreparer
from rag.http.clients.remote_background import RemoteBackground
from rag.http.clients.served_models import ServedModels
from rag.http.clients.service_proxy import ServiceProxy
from rag.http.clients.upstream_services import UpstreamServices
from rag.http.fields.thinking_fields import check_effort
from rag.http.middleware.deadline import in_time
from rag.http.middleware.request_id import current_request_id
from rag.http.model_aliases import ModelAliases
from rag.http.native.ask_wire import AskRequest
from rag.http.native.generate_wire import GenerateRequest
from rag.http.native.ingest_form import IngestRequest
from rag.http.native.internal.audit_wire import RemoteAuditLog
from rag.http.native.internal.verify_wire import RemoteSupport
from rag.http.pages.metrics_page import MetricsPage
from rag.http.streaming.answer_events import answer_to_wire, whole_answer
from rag.http.streaming.event_stream import EventStream, StreamLimits
from rag.http.streaming.text_stream import tokens_to_wire, whole_text
from rag.http.v1.applications.edge_app import edge_app
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.responses.background.worker import BackgroundWorker, WorkerOptions
from rag.http.v1.responses.routes import ResponseRoutes
from rag.http.v1.text_generation.image_options import ImageOptions
from rag.http.v1.text_generation.tool_options import ToolOptions
from rag.ports import Cache
from rag.types import Facts, SamplingParameters


class RagApi:
    """The API of the RAG service, which calls the Retriever and the LLM.

    Args:
        dependencies: Clients of the services `Retriever` and `LLM`.
        sampling: Default sampling parameters of answers, by vLLM's names; `max_tokens` is among them.
        citations: Default citation mode of answers.
        style: Default style of answers.
        weak_below: Citations with a lower score count as weakly supported.
        tokens: Counts used tokens.
        audit: Sends audit events to the Retriever; None: there is no audit log.
        cache: For answers; None disables caching.
        aliases: Additional names of models.
        may_store: Whether responses may be kept.
        background: How responses in the background are generated.
        images: How images are read; None: as by default, and none is fetched by its URL.
        tools: How tools that the service runs are used; None: as by default, and no MCP server may be called.
        token_keys: For signed tokens, if they are accepted. Without keys the service is not ready.
    """

    def __init__(
        self,
        dependencies: UpstreamServices,
        *,
        sampling: SamplingParameters,
        retrieve_timeout_s: float,
        answer_timeout_s: float,
        keep_alive_s: float,
        citations: CitationMode,
        weak_below: float,
        tokens: TokenLimits,
        audit: AuditTrail | None = None,
        style: StyleOption = "written",
        cache: Cache | None = None,
        ttl_s: float = 3600.0,
        token_keys: JsonWebKeys | None = None,
        aliases: ModelAliases | None = None,
        may_store: bool = True,
        background: WorkerOptions | None = None,
        tools: ToolOptions | None = None,
        images: ImageOptions | None = None,
    ) -> None:
        self.dependencies = dependencies
        self.metrics = MetricsPage("RAG", dependencies.clients.values()).text
        """Returns the text of `/metrics`."""
        self._cache = cache
        self._token_keys = token_keys
        self._retriever = dependencies.clients["Retriever"]
        self._tokens = tokens
        self._audit = audit
        self._proxy = ServiceProxy(self._retriever, dependencies.require)
        """Forwards `/ingest` and most of `/v1` to the Retriever."""
        self._generator = MeteredGenerator(RemoteGenerator(dependencies.clients["LLM"]), tokens.add)
        self._answers = AnswerPipeline(
            dependencies,
            RemotePromptPreparer(self._retriever, retrieve_timeout_s),
            self._generator,
            sampling=sampling,
            citations=citations,
            verifier=Verifier(RemoteSupport(self._retriever, VERIFY_TIMEOUT_S).scores, weak_below),
            style=style,
            cache=None if cache is None else CachingGenerator(self._generator, cache, self._model, ttl_s=ttl_s),
        )
        self._models = ServedModels(dependencies, aliases or ModelAliases({}))
        self._stream_options = StreamLimits(keep_alive_s=keep_alive_s, timeout_s=answer_timeout_s)
        generator = AuthorizedGenerator(self._generator)
        parts = EdgeParts(
            dependencies,
            self._models,
            self._answers,
            generator,
            self._stream_options,
            may_store,
            self._wake,
            tools or ToolOptions(retrieve_timeout_s=retrieve_timeout_s),
            images or ImageOptions(),
        )
        self.v1 = edge_app(parts, self._proxy)
        """To be mounted at `/v1`."""
        self.background = self._background_worker(parts, background or WorkerOptions())
        """Generates responses in the background."""
        self._retrieve_timeout_s = retrieve_timeout_s

    def _background_worker(self, parts: EdgeParts, options: WorkerOptions) -> BackgroundWorker:
        clients, facts, tokens = self.dependencies.clients, self.dependencies.facts, self._tokens
        return BackgroundWorker(
            RemoteBackground(self._retriever),
            ResponseRoutes(parts).prepare_leased,
            is_ready=lambda: all(facts(name) is not None for name in clients),
            check_tokens=lambda caller: tokens.check(caller, {}),
            options=options,
        )

    def _wake(self) -> None:
        self.background.wake()

    async def start(self) -> None:
        self.dependencies.start()
        if self._audit is not None:
            self._audit.start(RemoteAuditLog(self._retriever).write)
        if self._token_keys is not None:
            self._token_keys.start()
        if self._cache is not None:
            await self._cache.connect()
        self.background.start()

    async def close(self) -> None:
        await self.background.close()
        if self._audit is not None:
            await self._audit.close()
        await self._tokens.close()
        await self.dependencies.close()
        if self._token_keys is not None:
            self._token_keys.stop()
        if self._cache is not None:
            await self._cache.close()

    async def ready(self) -> Facts:
        """The report of each service.

        Raises if a service is not ready or saturated, or if there are no keys for signed tokens.
        """
        if self._token_keys is not None:
            self._token_keys.check()
        facts = await self.dependencies.ready()
        for name, service in facts["services"].items():
            if service.get("saturated"):
                raise Overloaded(f"{name}: the queue is full, so new requests are refused")
        return {**facts, **({} if self._cache is None else {"cache": dict(self._cache.facts())})}

    def _model(self) -> str:
        return str((self.dependencies.facts("LLM") or {}).get("model", ""))

    async def ask(self, request: AskRequest) -> Response:
        question, sampling = request.checked_question(), request.sampling()
        adapter = (await self._models.target(request.model)).adapter if request.model else ""
        check_effort(request.reasoning_effort, self.dependencies.facts("LLM"))
        answer_request = AnswerRequest(
            question,
            request.search(),
            sampling,
            adapter,
            request.citations,
            request.style,
            request.template_values,
        )
        answer = self._answers.answer(answer_request, current_request_id.get())
        if request.stream:
            return await EventStream.open(answer, answer_to_wire, **self._stream_options)
        async with in_time(self._stream_options["timeout_s"]), answer as events:
            return JSONResponse(await whole_answer(events))

    async def retrieve(self, request: RetrieveRequest) -> Response:
        request.checked_query()
        self.dependencies.require("Retriever")
        body = request.model_dump(exclude_none=True)
        if request.explain and (engine := self.dependencies.facts("LLM")):
            body |= self._answers.default_prompt_fields(request.style, engine)
        return JSONResponse(await self._retriever.call("/retrieve", body, timeout_s=self._retrieve_timeout_s))

    async def generate(self, request: GenerateRequest) -> Response:
        prompt, sampling = request.checked_prompt(), request.sampling()
        self.dependencies.require("LLM")
        request_id = current_request_id.get()
        source = self._generator.generate(prompt, sampling, request_id, model=request.model or "")
        if request.stream:
            return await EventStream.open(source, tokens_to_wire, **self._stream_options)
        async with in_time(self._stream_options["timeout_s"]), source as stream:
            return JSONResponse(await whole_text(stream))

    async def ingest(self, request: IngestRequest) -> Response:
        return await self._proxy.respond(request.http)
