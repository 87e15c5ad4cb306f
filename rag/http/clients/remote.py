"""The other services of this bundle as implementations of `rag.ports`."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import numpy as np

from rag.auth.caller import require
from rag.errors import DependencyUnavailable, Starting
from rag.http.bodies.hits import hit_from_wire
from rag.http.clients.service_client import ServiceClient
from rag.http.error_table import error_from_event
from rag.http.middleware.turns import end_turn
from rag.http.streaming.sse import EventParser
from rag.http.streaming.text_stream import delta_from_wire, reasoning_from_wire, stream_end_from_wire
from rag.ports import TokenStream, Vectors
from rag.types import (
    Chat,
    Facts,
    Insertion,
    JsonMapping,
    JsonObject,
    LongTexts,
    Message,
    ModelInput,
    PreparedPrompt,
    Prompt,
    Quotation,
    Quote,
    Rectangle,
    RenderedChat,
    SamplingParameters,
    StreamItem,
    TextKind,
    TokenCounts,
    TokenIds,
    Usage,
)

_ENCODE_TIMEOUT_S = 600.0
"""Long enough for the service to download and load a model that it was not configured with."""


class RemoteEmbedder:
    """The Embedder service as a `rag.ports.Embedder`. Call `connect` first.

    Args:
        model: Loaded by the service if necessary; None for its configured model.
    """

    def __init__(self, client: ServiceClient, model: str | None = None) -> None:
        self._client = client
        self._model = model
        self._facts: Facts = {}

    async def connect(self) -> None:
        """Get the model's name and dimensions. Raises Starting until the service is ready."""
        # No endpoint describes a model by name; encoding one word does, and loads the model.
        self._facts = await (self._client.ready() if self._model is None else self._encoded(["ready"], "query"))

    @property
    def model_name(self) -> str:
        return str(self._known("model"))

    @property
    def dimensions(self) -> int:
        return int(self._known("dimensions"))

    async def encode(
        self,
        texts: Sequence[str] | Sequence[TokenIds],
        kind: TextKind,
        *,
        store_token_vectors: bool = False,
        long_texts: LongTexts = "truncate",
        max_tokens: int | None = None,
    ) -> Vectors:
        options: JsonObject = {"store_token_vectors": True} if store_token_vectors else {}
        if long_texts != "truncate":
            options["long_texts"] = long_texts
        if max_tokens is not None:
            options["max_tokens"] = max_tokens
        answer = await self._encoded(texts, kind, **options)
        rows = np.frombuffer(base64.b64decode(answer["embeddings"]), dtype="<f4")
        return rows.reshape(len(texts), answer["dimensions"])

    async def count(self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind) -> TokenCounts:
        answer = await self._call("/count", texts, kind)
        return TokenCounts(tuple(answer["tokens"]), answer["max_tokens"])

    async def _encoded(
        self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind, **options: object
    ) -> JsonMapping:
        return await self._call("/encode", texts, kind, encoding_format="base64", **options)

    async def _call(
        self, path: str, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind, **options: object
    ) -> JsonMapping:
        body: JsonObject = {"texts": list(texts), "kind": kind, **options}
        if self._model is not None:
            body["model"] = self._model
        answer: JsonMapping = await self._client.call(path, body, timeout_s=_ENCODE_TIMEOUT_S)
        return answer

    def _known(self, name: str) -> Any:
        if name not in self._facts:
            raise Starting("the embedding model is not known yet: the Embedder service has not answered")
        return self._facts[name]


class RemoteEmbedders:
    """The Embedder service as `rag.ports.Embedders`. Call `connect` first."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self._default = RemoteEmbedder(client)
        self._others: dict[str, RemoteEmbedder] = {}

    async def connect(self) -> None:
        """Get the default model's name and dimensions. Raises Starting until the service is ready."""
        await self._default.connect()

    @property
    def default(self) -> RemoteEmbedder:
        return self._default

    async def named(self, model: str) -> RemoteEmbedder:
        """See `rag.ports.Embedders`. Takes minutes if the model must be downloaded."""
        if model == self._default.model_name:
            return self._default
        if model not in self._others:
            embedder = RemoteEmbedder(self._client, model)
            await embedder.connect()
            self._others[model] = embedder
        return self._others[model]


class RemotePromptPreparer:
    """The Retriever service as a `rag.ports.PromptPreparer`."""

    def __init__(self, client: ServiceClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def prepare(self, request: JsonMapping) -> PreparedPrompt:
        """See `rag.ports.PromptPreparer`. Raises InsufficientPermissions without the scope `ask`."""
        require("ask")
        answer = await self._client.call("/prepare", request, timeout_s=self._timeout_s)
        sources = tuple(hit_from_wire(hit) for hit in answer["sources"])
        messages = tuple(Message(**turn) for turn in answer.get("messages", ()))
        prompt = Prompt(tuple(answer["token_ids"]), sources, messages)
        quotation = None if answer["quotation"] is None else _quotation(answer["quotation"])
        return PreparedPrompt(
            prompt,
            answer["timings_ms"],
            answer["note"],
            answer["key"],
            tuple(answer["queries"]),
            quotation,
            answer["confidence"],
            answer["top_k"],
        )


def _quotation(wire: JsonMapping) -> Quotation:
    return Quotation(tuple(map(_quote, wire["quotes"])), wire["structure"])


def _quote(wire: JsonMapping) -> Quote:
    return Quote(**{**wire, "rectangles": tuple(Rectangle(**place) for place in wire.get("rectangles", ()))})


class RemoteGenerator:
    """The LLM service as a `rag.ports.Generator`."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        """See `rag.ports.Generator`. The request id sent is the one of the current HTTP request.

        The response headers arrive once the LLM service has accepted the request.
        """
        adapter = {"model": model} if model else {}
        end_turn()
        async with (
            self._client.stream("/generate", {**_prompt_to_wire(prompt), **adapter, **sampling}) as chunks,
            contextlib.aclosing(_deltas(chunks)) as deltas,
        ):
            yield deltas


def _prompt_to_wire(prompt: ModelInput) -> JsonObject:
    if isinstance(prompt, Chat):
        options: JsonObject = {
            "tools": list(prompt.tools),
            "template_values": dict(prompt.template_values),
            "calls_tools": prompt.calls_tools,
        }
        chosen = {name: value for name, value in options.items() if value}
        return {"chat": {"messages": list(prompt.messages), "thinks": prompt.thinks, **chosen}}
    if isinstance(prompt, RenderedChat):
        rendered = {"template_values": dict(prompt.template_values), "thinks": prompt.thinks}
        return {"tokens": list(prompt.token_ids), "rendered": rendered}
    if isinstance(prompt, Insertion):
        return {"prompt": prompt.prefix, "suffix": prompt.suffix}
    return {"prompt": prompt} if isinstance(prompt, str) else {"tokens": list(prompt)}


async def _deltas(chunks: AsyncIterator[bytes]) -> AsyncGenerator[StreamItem, None]:
    """The deltas in a stream of server-sent events. An `error` event is raised as its error."""
    parser, usage = EventParser(), Usage(0, 0)
    async for chunk in chunks:
        for name, text in parser.feed(chunk):
            data = json.loads(text)
            if name == "token":
                yield delta_from_wire(data)
            elif name == "thinking":
                yield reasoning_from_wire(data)
            elif name == "usage":
                usage = Usage(**data)
            elif name == "error":
                raise error_from_event(data)
            elif name == "done":
                yield stream_end_from_wire(data, usage)
                return
    raise DependencyUnavailable("the connection to the language model was lost during the answer")
