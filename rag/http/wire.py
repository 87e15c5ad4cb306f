"""What the native BentoML APIs take and give. Every field is described here, for Swagger UI and for people."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from _bentoml_sdk.service.openapi import REF_TEMPLATE
from bentoml import IODescriptor
from bentoml._internal.service.openapi.specification import Schema
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, Request
from typing_extensions import TypeAliasType

from rag.errors import EmptyQuestion, InvalidFilter, InvalidRequest, RagError
from rag.http.filters_wire import Filter
from rag.http.retrieval_settings import RetrievalSettings
from rag.types import JsonObject, Message, SearchMode

TokenId = Annotated[int, Field(ge=0)]
MAX_STORES = 10
"""That one question searches."""
Stop = Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)]

_BENTOML_KEYWORDS = frozenset(inspect.signature(Schema).parameters)


class WireModel(IODescriptor):
    """A JSON body of a BentoML API. Its error is kept in `refused`, so that the endpoint can answer in our error shape.

    BentoML would answer in another shape, and with a 500 for a body that is not an object (docs/bentoml_issues.md#b7,
    docs/bentoml_issues.md#b18).
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    _refused: RagError | None = PrivateAttr(default=None)

    @property
    def refused(self) -> RagError | None:
        return self._refused

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The schema without BentoML's `root_input` mark, so that its clients take the fields as keywords."""
        schema = super().model_json_schema(*args, **kwargs)
        schema.pop("root_input", None)
        return schema

    @classmethod
    def openapi_components(cls, name: str) -> dict[str, Schema]:
        """Schemas for the description that BentoML writes into a Bento, with the keywords that its `Schema` knows.

        Swagger UI shows another one (`rag.http.published_api`). See docs/bentoml_issues.md#b24.
        """
        schema = cls.model_json_schema(ref_template=REF_TEMPLATE)
        schemas = {**schema.pop("$defs", {}), cls.__name__: {**schema, "title": cls.__name__}}
        return {
            title: Schema(**{keyword: value for keyword, value in part.items() if keyword in _BENTOML_KEYWORDS})
            for title, part in schemas.items()
        }

    @classmethod
    def refuse(cls, error: RagError) -> Self:
        model = cls.model_construct()
        model._refused = error
        return model

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Self:
        try:
            return cls.parse(json_object(request.headers.get("content-type"), await request.body()))
        except RagError as error:
            return cls.refuse(error)
        except ClientDisconnect:  # nobody reads what is answered
            return cls.refuse(InvalidRequest("the client left before its request was read"))

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate a JSON object.

        Raises:
            InvalidRequest: names the first field at fault.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise first_fault(error) from None


def json_object(content_type: str | None, body: bytes) -> Mapping[str, Any]:
    """Raises InvalidRequest when the body is anything but a JSON object."""
    media_type = (content_type or "application/json").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise InvalidRequest(
            f"content type {media_type[:80]!r} is not supported; send application/json", param="content-type"
        )
    if not body.strip():
        raise InvalidRequest("the body is empty; send a JSON object")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not valid JSON") from None
    if not isinstance(data, dict):
        kind = {list: "an array", str: "a string", type(None): "null"}.get(type(data), "a number or boolean")
        raise InvalidRequest(f"the body is {kind}; send a JSON object")
    return data


def exactly_one(*fields: str) -> JsonObject:
    """JSON schema of an object that has exactly one of the fields, and not null."""
    return {"oneOf": [{"required": [field], "properties": {field: {"not": {"type": "null"}}}} for field in fields]}


_REASONS = {
    "extra_forbidden": "is not a field of this request",
    "missing": "is required",
    "none_required": "is not supported; leave it out",
}


def first_fault(error: ValidationError) -> InvalidRequest:
    """The first of pydantic's errors, in our shape. The message never repeats the input."""
    fault = error.errors(include_url=False, include_input=False)[0]
    path = _field_path(fault["loc"])
    if fault["type"].startswith("union_tag"):
        path.append("type")  # of a filter or a chunking strategy
    name, reason = ".".join(path) or None, _reason(fault)
    if "filters" in path and not (path[-1] == "filters" and fault["type"] == "model_attributes_type"):
        param = ".".join(path[: path.index("filters") + 1])
        return InvalidFilter(f"{name}: {reason}", param=param)
    return InvalidRequest(f"{name}: {reason}" if name else reason, param=name)


def _reason(fault: ErrorDetails) -> str:
    kind, message = fault["type"], fault["msg"].removeprefix("Value error, ")
    if kind == "union_tag_invalid":
        return f"must be one of {fault['ctx']['expected_tags']}"
    if kind == "union_tag_not_found":
        return "is required"
    if kind in ("model_attributes_type", "model_type"):
        return "must be an object"
    if kind == "literal_error":
        return message.replace("Input should be", "must be")
    if kind == "too_short" and message.endswith(", not 0"):
        return "is empty"
    return _REASONS.get(kind, message)


def _field_path(location: Sequence[int | str]) -> list[str]:
    """The names and positions in the request, without the types and tags of unions that pydantic puts between them."""
    path: list[str] = []
    expects_tag = False
    for place, part in enumerate(location):
        if expects_tag and part in _TAGS:
            expects_tag = False
        elif place == 0 or not _is_type_name(part):
            path.append(str(part))
            expects_tag = part in _UNIONS or (isinstance(part, int) and path[-2:-1] == ["filters"])
    return path


_UNIONS = ("filters", "chunking_strategy")
"""Fields whose `type` says which model of a union they are."""
_TAGS = frozenset(
    {
        *("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "and", "or"),
        *("auto", "static", "recursive", "sentences", "structure", "parent_child"),
    }
)


def _is_type_name(part: int | str) -> bool:
    """Whether it is the name of a type that pydantic tried, such as `str` or `dict[str,any]`."""
    return isinstance(part, str) and (part in ("str", "int", "float", "bool", "constrained-str") or "[" in part)


class HistoryTurn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["user", "assistant"]
    content: str = Field(max_length=100_000)


def messages_of(turns: Sequence[HistoryTurn]) -> tuple[Message, ...]:
    return tuple(Message(turn.role, turn.content) for turn in turns)


def structured_outputs(response_format: JsonObject | None) -> JsonObject | None:
    """OpenAI's `response_format` as vLLM's structured outputs; None: any text. Raises InvalidRequest."""
    kind = None if response_format is None else response_format.get("type")
    if response_format is None or kind == "text":
        return None
    if kind == "json_object":
        return {"json_object": True}
    named = response_format.get("json_schema") if kind == "json_schema" else None
    schema = named.get("schema") if isinstance(named, dict) else None
    if isinstance(schema, dict):
        return {"json": schema}
    raise InvalidRequest(
        "response_format: type must be text, json_object, or json_schema with json_schema.schema",
        param="response_format",
    )


def _check_response_format(response_format: object) -> object:
    if isinstance(response_format, dict):
        structured_outputs(response_format)
    return response_format


class PlainTextFormat(BaseModel):
    type: Literal["text"]


class JsonObjectFormat(BaseModel):
    type: Literal["json_object"]


class NamedSchema(BaseModel):
    schema_: JsonObject = Field(alias="schema", description="A JSON Schema.")


class JsonSchemaFormat(BaseModel):
    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat = TypeAliasType(
    "ResponseFormat",
    Annotated[
        JsonObject,
        BeforeValidator(
            _check_response_format,
            json_schema_input_type=Annotated[
                PlainTextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")
            ],
        ),
        Field(description="OpenAI's response format.", json_schema_extra={"example": {"type": "text"}}),
    ],
)


class RetrieveRequest(WireModel):
    """A query to find passages for."""

    model_config = ConfigDict(json_schema_extra={"example": {"query": "readiness", "top_k": 3, "mode": "hybrid"}})

    query: str = Field(description="What to look for.", max_length=100_000)
    vector_store: str = Field("default", description="The collection of documents to search.", max_length=64)
    top_k: int | None = Field(None, ge=1, le=100, description="Maximum number of hits.")
    filters: Filter | None = Field(None, description="Search only documents whose attributes match.")
    mode: SearchMode | None = Field(None, description="Which search paths to use.")
    rerank: bool | None = Field(None, description="Rerank the best hits.")
    explain: bool = Field(False, description="Explain every candidate passage.")
    history: list[HistoryTurn] = Field(
        default_factory=list, description="Earlier turns, for rewriting a follow-up query.", max_length=200
    )
    retrieval: RetrievalSettings | None = Field(None, description="Search options that differ from the settings.")

    def checked_query(self) -> str:
        if not self.query.strip():
            raise EmptyQuestion("query: is empty; say what to look for", param="query")
        return self.query

    def changes(self) -> dict[str, Any]:
        """The options that the request sets, by the names of `rag.retrieve.options`."""
        own = {"top_k": self.top_k, "mode": self.mode, "rerank": self.rerank}
        settings = self.retrieval.changes() if self.retrieval else {}
        return settings | {name: value for name, value in own.items() if value is not None}


class ExplainRequest(RetrieveRequest):
    """Between services: a query whose explanation also says what the prompt would be."""

    context_tokens: int | None = Field(None, ge=1, description="The engine's context length, if known.")
    max_tokens: int = Field(512, ge=1, description="Tokens to keep free for the answer.")


class EncodeRequest(WireModel):
    """Texts to encode as vectors."""

    model_config = ConfigDict(json_schema_extra={"example": {"texts": ["What is Milvus?"], "kind": "query"}})

    texts: Annotated[list[str] | list[list[TokenId]], Field(min_length=1, max_length=4096)] = Field(
        description="Texts to encode, or the ids of their tokens."
    )
    kind: Literal["query", "passage"] = Field(
        "passage", description="Selects the model's prefix for queries or passages."
    )
    encoding_format: Literal["float", "base64"] = Field("float", description="base64: little-endian float32.")
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Hub id or folder of another model, which is loaded on demand; unset: the configured one.",
    )


class PrepareRequest(WireModel):
    """Between services: find passages and make the prompt of an answer."""

    question: str
    context_tokens: int = Field(ge=1, description="The engine's context length.")
    max_tokens: int = Field(ge=1, description="Tokens to keep free for the answer.")
    vector_store: str | Annotated[list[str], Field(min_length=1, max_length=MAX_STORES)] = "default"
    history: list[HistoryTurn] = Field(default_factory=list)
    top_k: int | None = None
    filters: Filter | None = None
    retrieval: RetrievalSettings | None = None
    score_threshold: float = Field(0.0, ge=0, le=1, description="Hits with a lower score are left out.")
    system: str | None = Field(None, description="Instructions of the client; they follow those of the prompt.")

    @property
    def stores(self) -> list[str]:
        return [self.vector_store] if isinstance(self.vector_store, str) else list(dict.fromkeys(self.vector_store))

    def changes(self) -> dict[str, Any]:
        """The options that the request sets, by the names of `rag.retrieve.options`."""
        settings = self.retrieval.changes() if self.retrieval else {}
        return settings | ({} if self.top_k is None else {"top_k": self.top_k})


class HitOut(BaseModel):
    """A passage that was found."""

    chunk_id: str
    file_id: str
    filename: str = Field(description="The name as uploaded, folders included.")
    text: str
    score: float = Field(ge=0, le=1, description="Higher is better; comparable within one answer only.")
    attributes: dict[str, str | int | float | bool]
    page: int | None
    heading: str = Field(description="Titles above the passage, outermost first.")
    start: int = Field(description="Character offset in the document's text.")
    end: int


class RetrieveResponse(BaseModel):
    hits: list[HitOut]
    timings_ms: dict[str, float] = Field(description="Milliseconds by step; `cached`: from the cache.")
    note: str | None = Field(None, description="A step of query planning that was skipped, and why.")
    explain: dict[str, JsonValue] | None = Field(
        None, description="With `explain`: every candidate, and why it is or is not among the hits."
    )


class FileErrorOut(BaseModel):
    code: str
    message: str


class FileOut(BaseModel):
    file_id: str
    filename: str
    status: Literal["in_progress", "completed", "failed", "cancelled"]
    change: Literal["added", "replaced", "unchanged"] | None = Field(description="What the upload did to the document.")
    chunks: int
    error: FileErrorOut | None = Field(description="Why the file failed; its previous version stays searchable.")


class IngestResponse(BaseModel):
    """Sent with status 202 while the job is running, 200 once it has ended."""

    files: list[FileOut]
    batch_id: str = Field(description="ID of the job; /v1/jobs/{batch_id} reports its progress.")
    status: Literal["in_progress", "completed", "failed", "cancelled"]


class EncodeResponse(BaseModel):
    model: str = Field(description="The model that produced the vectors.")
    dimensions: int
    embeddings: list[list[float]] | str
