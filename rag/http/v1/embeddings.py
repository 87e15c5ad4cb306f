"""`POST /v1/embeddings`: embeddings of texts, or of token IDs, by the configured encoder."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
from openai.types import CreateEmbeddingResponse, Embedding
from openai.types.create_embedding_response import Usage
from pydantic import Field, SkipValidation, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound
from rag.http.headers.used_tokens import report_tokens
from rag.http.model_aliases import ModelAliases
from rag.http.openapi.route import Operation
from rag.http.v1.documents.body import Body, example, read_body
from rag.http.v1.documents.parts import LongInputs, V1Parts
from rag.http.v1.field_names import fields_named
from rag.http.v1.route import V1Route
from rag.ports import Embedder, Vectors
from rag.types import TextKind, TokenCounts, TokenIds

MAX_INPUTS = 2048
_NO_IDS = (
    "input: token ids are not accepted, because they may be those of another tokenizer; send texts. With LangChain's "
    "OpenAIEmbeddings, set check_embedding_ctx_length=False. If the ids are those of this encoder's tokenizer, set "
    "RAG_EMBEDDER__TOKEN_IDS=true for the service"
)
_SHAPES = "must be a string, a list of strings, a list of token IDs, or a list of such lists"
_InputText = Annotated[str, StringConstraints(min_length=1)]
_InputIds = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]
TextInput: TypeAlias = (
    _InputText
    | Annotated[list[_InputText], Field(min_length=1, max_length=MAX_INPUTS)]
    | Annotated[list[_InputIds], Field(min_length=1, max_length=MAX_INPUTS)]
    | _InputIds
)


class CreateEmbeddings(Body):
    model_config = example(model="all-MiniLM-L6-v2", input="What is this service made of?")

    input: SkipValidation[TextInput] = Field(description="Texts to embed, or the IDs of their tokens.")
    # Validated by `inputs`: pydantic's errors would name each alternative of the union.
    model: str = Field(max_length=512, description="Name of the configured embedding model.")
    encoding_format: Literal["float", "base64"] = Field("float", description="`base64`: little-endian float32.")
    dimensions: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Number of leading dimensions to return, normalised to unit length; null: all."
    )
    user: str | None = Field(None, description="Accepted for OpenAI's clients. It has no effect.")
    input_type: TextKind = Field(
        "passage",
        description="Whether the texts are queries or passages. Some models distinguish them.",
    )

    truncate: bool | Literal["NONE", "END"] | None = Field(
        None,
        description="Not in OpenAI's API: true or `END` truncates texts that are longer than the encoder's input, "
        "false or `NONE` refuses them; unset: RAG_EMBEDDER__LONG_INPUTS.",
    )
    truncate_prompt_tokens: Annotated[int, Field(ge=-1)] | None = Field(
        None,
        description="As in vLLM: truncate each text to this many tokens, including special tokens; -1: to the "
        "encoder's input.",
    )

    def long_inputs(self, default: LongInputs) -> LongInputs:
        """What to do with texts that are longer than the encoder's input."""
        if self.truncate_prompt_tokens is not None:
            if self.truncate in (False, "NONE"):
                message = "truncate_prompt_tokens: cannot be combined with truncate false; give one of them"
                raise InvalidRequest(message, param="truncate_prompt_tokens")
            return "truncate"
        if self.truncate is None:
            return default
        return "truncate" if self.truncate in (True, "END") else "refuse"

    @property
    def max_tokens(self) -> int | None:
        """The number of tokens to truncate each text to; None: it is not given."""
        return None if self.truncate_prompt_tokens in (None, -1) else self.truncate_prompt_tokens

    def inputs(self) -> Inputs:
        """Raises InvalidRequest, which names the first invalid text."""
        given: object = self.input
        if isinstance(given, str):
            return Inputs(_checked_texts([given], ("input",)), ("input",))
        if not isinstance(given, list) or not given:
            raise InvalidRequest(f"input: {_SHAPES}", param="input")
        if all(_is_id(one) for one in given):
            return Inputs([given], ("input",))
        names = tuple(f"input.{place}" for place in range(len(given)))
        if len(names) > MAX_INPUTS:
            raise InvalidRequest(f"input: at most {MAX_INPUTS} texts are allowed", param="input")
        if isinstance(given[0], str):
            return Inputs(_checked_texts(given, names), names)
        return Inputs(_checked_ids(given, names), names)


@dataclass(frozen=True, slots=True)
class Inputs:
    texts: Sequence[str] | Sequence[TokenIds]
    names: Sequence[str]
    """The name of each in error messages."""


class EmbeddingOut(Embedding):
    embedding: list[float] | str = Field(  # type: ignore[assignment]
        description="With `encoding_format` `base64`: little-endian float32."
    )


class EmbeddingList(CreateEmbeddingResponse):
    data: list[EmbeddingOut]  # type: ignore[assignment]


CREATE = Operation(
    id="create_embeddings",
    scopes=("ask", "generate"),
    uses_tokens=True,
    tag="Language model",
    summary="Embed texts, or lists of token IDs",
    body=CreateEmbeddings,
    response=EmbeddingList,
    response_description="Embeddings, in the order of the texts.",
    errors=[400, 404, 413, 504],
)


class EmbeddingRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [V1Route("POST", "/embeddings", self.create, CREATE)]

    async def create(self, request: Request) -> Response:
        body, options = await read_body(CreateEmbeddings, request), self._parts.embedding
        inputs, embedder = body.inputs(), self._parts.embedder()
        _check_model(body, embedder, self._parts.aliases)
        if not options.token_ids and not isinstance(inputs.texts[0], str):
            raise InvalidRequest(_NO_IDS, param="input")
        long_inputs = body.long_inputs(options.long_inputs)
        counts = await embedder.count(inputs.texts, body.input_type)
        if long_inputs == "refuse":
            _check_lengths(inputs, counts, embedder)
        with fields_named({"max_tokens": "truncate_prompt_tokens"}):
            vectors = await embedder.encode(
                inputs.texts,
                body.input_type,
                long_texts="window" if long_inputs == "window" and _is_any_long(counts) else "truncate",
                max_tokens=body.max_tokens,
            )
        # In a thread: writing many numbers as text would block the event loop.
        tokens = _used_tokens(counts, body, long_inputs)
        await report_tokens(tokens)
        content = await asyncio.to_thread(_answer, body, vectors, tokens, embedder.model_name)
        return Response(content, media_type="application/json")


def _check_model(body: CreateEmbeddings, embedder: Embedder, aliases: ModelAliases) -> None:
    name = embedder.model_name
    if name not in (body.model, aliases.model(body.model)):
        message = f"model: no embedding model {body.model[:200]!r}; this service has {name!r}"
        raise ModelNotFound(message, param="model")
    if body.dimensions is not None and body.dimensions > embedder.dimensions:
        raise InvalidRequest(f"dimensions: {name} has {embedder.dimensions} dimensions", param="dimensions")


def _used_tokens(counts: TokenCounts, body: CreateEmbeddings, long_inputs: LongInputs) -> int:
    """The number of tokens that the encoder read."""
    limits = [body.max_tokens, counts.max_tokens if long_inputs == "truncate" else None]
    return sum(min([number, *(limit for limit in limits if limit is not None)]) for number in counts.tokens)


def _is_any_long(counts: TokenCounts) -> bool:
    """Whether a text is longer than the encoder's input."""
    return counts.max_tokens is not None and max(counts.tokens) > counts.max_tokens


def _check_lengths(inputs: Inputs, counts: TokenCounts, embedder: Embedder) -> None:
    """Raises ContextLengthExceeded, which names the first text that is longer than the encoder's input."""
    if (longest := counts.max_tokens) is None:
        return
    for name, tokens in zip(inputs.names, counts.tokens, strict=True):
        if tokens > longest:
            raise ContextLengthExceeded(
                f"{name}: has {tokens} tokens, but {embedder.model_name} reads at most {longest}; send it in parts",
                param=name,
            )


def _shortened(vectors: Vectors, dimensions: int | None) -> Vectors:
    """Truncated and normalised, for encoders trained by Matryoshka Representation Learning (arXiv 2205.13147)."""
    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    part = vectors[:, :dimensions]
    lengths = np.linalg.norm(part, axis=1, keepdims=True)
    shortened: Vectors = np.divide(part, lengths, out=np.zeros_like(part), where=lengths > 0)
    return shortened


def _answer(body: CreateEmbeddings, vectors: Vectors, tokens: int, model: str) -> bytes:
    rows = _shortened(vectors, body.dimensions).astype("<f4", copy=False)
    as_text = body.encoding_format == "base64"
    values = (base64.b64encode(row.tobytes()).decode() if as_text else row.tolist() for row in rows)
    data = [{"object": "embedding", "index": place, "embedding": value} for place, value in enumerate(values)]
    usage = Usage(prompt_tokens=tokens, total_tokens=tokens)
    answer = CreateEmbeddingResponse(data=[], model=model, object="list", usage=usage)
    return json.dumps({**answer.to_dict(), "data": data}, separators=(",", ":")).encode()


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _checked_texts(values: Sequence[object], names: Sequence[str]) -> list[str]:
    texts: list[str] = []
    for value, name in zip(values, names, strict=True):
        if not isinstance(value, str):
            raise InvalidRequest(f"{name}: {_SHAPES}", param=name)
        if not value:
            raise InvalidRequest(f"{name}: is empty", param=name)
        texts.append(value)
    return texts


def _checked_ids(values: Sequence[object], names: Sequence[str]) -> list[list[int]]:
    lists: list[list[int]] = []
    for value, name in zip(values, names, strict=True):
        if not isinstance(value, list) or not all(_is_id(one) for one in value):
            raise InvalidRequest(f"{name}: {_SHAPES}", param=name)
        if not value:
            raise InvalidRequest(f"{name}: is empty", param=name)
        lists.append(value)
    return lists
