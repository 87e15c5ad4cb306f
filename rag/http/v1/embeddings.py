"""`POST /v1/embeddings`: vectors of texts, or of token ids, by the configured encoder."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from openai.types import CreateEmbeddingResponse
from openai.types.create_embedding_response import Usage
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound
from rag.http.v1.documents.body import Body, read_body
from rag.http.v1.documents.parts import V1Parts
from rag.ports import Embedder, Vectors
from rag.types import TextKind, TokenCounts, TokenIds

MAX_INPUTS = 2048
_SHAPES = "give a text, a list of texts, a list of token ids, or a list of such lists"


class CreateEmbeddings(Body):
    input: Any
    model: str = Field(max_length=512)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    """The first so many of each vector, at length 1 again; None: all."""
    user: str | None = None
    input_type: TextKind = "passage"
    """Ours: whether the texts are questions, or what they shall find; some models tell these apart."""

    def inputs(self) -> Inputs:
        """Raises InvalidRequest, which names the first at fault."""
        if isinstance(self.input, str):
            return Inputs(_checked_texts([self.input], ("input",)), ("input",))
        if not isinstance(self.input, list) or not self.input:
            raise InvalidRequest(f"input: {_SHAPES}", param="input")
        if all(_is_id(one) for one in self.input):
            return Inputs([self.input], ("input",))
        names = tuple(f"input.{place}" for place in range(len(self.input)))
        if len(names) > MAX_INPUTS:
            raise InvalidRequest(f"input: there are {MAX_INPUTS} texts at most", param="input")
        if isinstance(self.input[0], str):
            return Inputs(_checked_texts(self.input, names), names)
        return Inputs(_checked_ids(self.input, names), names)


@dataclass(frozen=True, slots=True)
class Inputs:
    texts: Sequence[str] | Sequence[TokenIds]
    names: Sequence[str]
    """What a message calls each."""


class EmbeddingRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [Route("/embeddings", self.create, methods=["POST"])]

    async def create(self, request: Request) -> Response:
        body = await read_body(CreateEmbeddings, request)
        inputs, embedder = body.inputs(), self._parts.embedder()
        _check_model(body, embedder)
        counts = await embedder.count(inputs.texts, body.input_type)
        _check_lengths(inputs, counts, embedder)
        vectors = await embedder.encode(inputs.texts, body.input_type)
        # In a thread: many numbers as text take long, and questions are waiting.
        content = await asyncio.to_thread(_answer, body, vectors, sum(counts.tokens), embedder.model_name)
        return Response(content, media_type="application/json")


def _check_model(body: CreateEmbeddings, embedder: Embedder) -> None:
    name = embedder.model_name
    if body.model != name:
        message = f"model: there is no embedding model {body.model[:200]!r}; there is {name!r}"
        raise ModelNotFound(message, param="model")
    if body.dimensions is not None and body.dimensions > embedder.dimensions:
        raise InvalidRequest(f"dimensions: vectors of {name} have {embedder.dimensions} dimensions", param="dimensions")


def _check_lengths(inputs: Inputs, counts: TokenCounts, embedder: Embedder) -> None:
    """A vector of a part would look like that of the whole."""
    if (longest := counts.max_tokens) is None:
        return
    for name, tokens in zip(inputs.names, counts.tokens, strict=True):
        if tokens > longest:
            raise ContextLengthExceeded(
                f"{name}: has {tokens} tokens, but {embedder.model_name} reads {longest}; send it in parts", param=name
            )


def _shortened(vectors: Vectors, dimensions: int | None) -> Vectors:
    """As encoders take it that were trained by Matryoshka Representation Learning (arXiv 2205.13147)."""
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


def _checked_texts(values: Sequence[Any], names: Sequence[str]) -> list[str]:
    for value, name in zip(values, names, strict=True):
        if not isinstance(value, str):
            raise InvalidRequest(f"{name}: {_SHAPES}", param=name)
        if not value:
            raise InvalidRequest(f"{name}: is empty", param=name)
        if not is_unicode(value):
            raise InvalidRequest(f"{name}: has half a surrogate pair", param=name)
    return list(values)


def _checked_ids(values: Sequence[Any], names: Sequence[str]) -> list[list[int]]:
    for value, name in zip(values, names, strict=True):
        if not isinstance(value, list) or not all(_is_id(one) for one in value):
            raise InvalidRequest(f"{name}: {_SHAPES}", param=name)
        if not value:
            raise InvalidRequest(f"{name}: is empty", param=name)
    return list(values)


def is_unicode(text: str) -> bool:
    """JSON may hold half of a surrogate pair, which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
