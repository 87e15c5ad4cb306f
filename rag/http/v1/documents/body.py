"""JSON bodies of the `/v1` routes: OpenAI's requests, validated strictly."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from starlette.requests import Request

from rag.errors import InvalidRequest
from rag.http.bodies.wire import exactly_one
from rag.http.fields.attributes_wire import ChangedAttributes, DocumentAttributes, check_attributes
from rag.http.fields.chunking_wire import ChunkingStrategyParam
from rag.http.fields.fail_fast import StrictModel
from rag.http.fields.filters_wire import Filter
from rag.http.fields.groups_wire import KEEP_READ_GROUPS, READ_GROUPS, Groups
from rag.http.fields.retrieval_settings import RetrievalSettings
from rag.http.validation.validation_errors import parsed
from rag.http.validation.wire_model import json_object
from rag.types import Attributes


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains a NUL character")  # PostgreSQL cannot store it
    return text


Text = Annotated[str, AfterValidator(_without_nul)]
IncludeList = Annotated[Text, WithJsonSchema({"type": "array", "items": {"type": "string"}})]
"""A parameter of the query string that may be repeated."""
Id = Annotated[Text, StringConstraints(min_length=1, max_length=256)]
Metadata = Annotated[
    dict[Annotated[Text, StringConstraints(min_length=1, max_length=64)], Annotated[Text, Field(max_length=512)]],
    Field(max_length=16),
]
ServiceTier = Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"]
CacheRetention = Literal["in_memory", "24h"]
MAX_BATCH_FILES = 2000
MAX_QUERIES = 20


class Body(StrictModel):
    """A JSON body."""


def described_as(form: Any) -> BeforeValidator:
    """The form of a field in the OpenAPI document, if the field itself is checked after the validation."""
    return BeforeValidator(lambda value: value, json_schema_input_type=form)


def example(**fields: JsonValue) -> ConfigDict:
    """Configuration of a model with an example that Swagger UI can execute unchanged."""
    return ConfigDict(json_schema_extra={"example": fields})


BodyModel = TypeVar("BodyModel", bound=Body)


async def read_body(model: type[BodyModel], request: Request, *, may_be_empty: bool = False) -> BodyModel:
    """The request's body, validated.

    Raises:
        InvalidRequest: names the first invalid field.
    """
    raw = await request.body()
    if may_be_empty and not raw.strip():
        return model()
    return parsed(model, json_object(request.headers.get("content-type"), raw))


_WITHOUT_EFFECT = "Accepted without effect: prompts are cached automatically."


class CacheOptions(Body):
    """Accepted without effect: prompts are cached automatically, which never changes an answer."""

    mode: Literal["implicit", "explicit"] | None = Field(None, description=_WITHOUT_EFFECT)
    ttl: Literal["30m"] | None = Field(None, description=_WITHOUT_EFFECT)


class CacheBreakpoint(Body):
    """Accepted without effect, like `CacheOptions`."""

    mode: Literal["explicit"] | None = Field(None, description=_WITHOUT_EFFECT)


class ExpiresAfter(Body):
    anchor: Literal["last_active_at"]
    days: int = Field(ge=1, le=365)


class UpdateStore(Body):
    model_config = example(name="manuals", metadata={"owner": "ada"})

    name: Text | None = Field(None, min_length=1, max_length=256)
    description: Text | None = Field(None, max_length=2048)
    metadata: Metadata | None = Field(None, description="At most 16 strings of your own, by name.")
    expires_after: ExpiresAfter | None = Field(
        None, description="The vector store expires after this many days without use."
    )
    chunking_strategy: ChunkingStrategyParam | None = Field(
        None, description="Used for documents that are added without a chunking strategy."
    )
    retrieval: RetrievalSettings | None = Field(
        None, description="Search settings of this vector store. They replace all previous ones."
    )


class CreateStore(UpdateStore):
    model_config = example(name="manuals")

    file_ids: list[Id] | None = Field(
        None, max_length=MAX_BATCH_FILES, description="Uploaded files to add as documents."
    )


class AttachFile(Body):
    model_config = example(file_id="file-0123", attributes={"topic": "guide"})

    file_id: Id = Field(description="ID of an uploaded file.")
    attributes: DocumentAttributes | None = None
    chunking_strategy: ChunkingStrategyParam | None = None
    read_groups: Groups | None = Field(None, description=KEEP_READ_GROUPS)


_FILE_OPTIONS = ("attributes", "chunking_strategy", "read_groups")


class CreateBatch(Body):
    """Either `file_ids`, with options for all of them, or `files`, each with its own."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"file_ids": ["file-0123"]}, **exactly_one("file_ids", "files")}
    )

    file_ids: list[Id] | None = Field(None, min_length=1, max_length=MAX_BATCH_FILES)
    files: list[AttachFile] | None = Field(None, min_length=1, max_length=MAX_BATCH_FILES)
    attributes: DocumentAttributes | None = None
    chunking_strategy: ChunkingStrategyParam | None = None
    read_groups: Groups | None = Field(None, description=KEEP_READ_GROUPS)

    def attached_files(self) -> list[AttachFile]:
        """The files to attach. Raises InvalidRequest for fields that exclude each other."""
        if (self.file_ids is None) == (self.files is None):
            raise InvalidRequest("file_ids: give exactly one of file_ids and files", param="file_ids")
        if self.files is None:
            common = {name: getattr(self, name) for name in _FILE_OPTIONS}
            return [AttachFile.model_validate({"file_id": file_id, **common}) for file_id in self.file_ids or ()]
        for name in _FILE_OPTIONS:
            if getattr(self, name) is not None:
                raise InvalidRequest(f"{name}: is not allowed with files; give each file its own", param=name)
        return self.files


class SetAttributes(Body):
    model_config = example(attributes={"topic": "guide"}, merge=True)

    attributes: ChangedAttributes | None = Field(None, description="Can be left out if `read_groups` is given.")
    read_groups: Groups | None = Field(None, description=f"{READ_GROUPS} Unset: they stay as they are.")
    merge: bool = Field(
        False,
        description="true: keep the attributes that the request does not name, and remove those that are null. false, "
        "as in OpenAI's API: replace all.",
    )

    def checked(self) -> tuple[Attributes, frozenset[str]]:
        """The attributes to set, and the names of those to remove. Raises InvalidRequest for a null without `merge`."""
        if "attributes" not in self.model_fields_set and self.read_groups is None:
            raise InvalidRequest("attributes: give attributes, read_groups or both", param="attributes")
        given = self.attributes or {}
        removed = frozenset(key for key, value in given.items() if value is None and self.merge)
        values = {key: value for key, value in given.items() if key not in removed}
        check_attributes(values)
        return {key: value for key, value in values.items() if value is not None}, removed

    @property
    def keeps_others(self) -> bool:
        """Whether attributes that the request does not name stay."""
        return self.merge or "attributes" not in self.model_fields_set


class HybridSearch(Body):
    embedding_weight: float = Field(ge=0, le=1e6, description="Weight of vector search; 0: keyword search only.")
    text_weight: float = Field(ge=0, le=1e6, description="Weight of keyword search; 0: vector search only.")

    @model_validator(mode="after")
    def _one_is_positive(self) -> Self:
        if not self.embedding_weight and not self.text_weight:
            raise ValueError("one of embedding_weight and text_weight must be greater than 0")
        return self


class RankingOptions(Body):
    ranker: Literal["none", "auto", "default-2024-11-15", "default_2024_08_21"] = Field(
        "auto", description="`none`: no reranking. All others: the settings of the vector store and the service apply."
    )
    score_threshold: float = Field(0.0, ge=0, le=1, description="Results with a lower score are left out.")
    hybrid_search: HybridSearch | None = None


class SearchStore(Body):
    model_config = example(query="readiness", max_num_results=3)

    query: str | list[str] = Field(description=f"One query, or up to {MAX_QUERIES}.")
    filters: Filter | None = None
    max_num_results: int = Field(10, ge=1, le=50)
    ranking_options: RankingOptions | None = None
    rewrite_query: bool | None = Field(
        None, description="Let the language model write further queries, which are searched as well."
    )

    def queries(self) -> list[str]:
        """The queries. Raises InvalidRequest if there are too many, or one is empty or too long."""
        texts = [self.query] if isinstance(self.query, str) else self.query
        if not 1 <= len(texts) <= MAX_QUERIES:
            raise InvalidRequest(f"query: give 1 to {MAX_QUERIES} queries", param="query")
        if any(not text.strip() or len(text) > 100_000 for text in texts):
            raise InvalidRequest("query: a query is empty, or longer than 100000 characters", param="query")
        return texts


class RetryJob(Body):
    file_ids: list[Id] = Field(
        default_factory=list,
        max_length=100_000,
        description="Files to retry; empty: all failed and cancelled ones.",
    )


class Reindex(Body):
    model_config = example(embedder="all-MiniLM-L6-v2")

    embedder: Id | None = Field(
        description="Embedding model to move to; null: rebuild the index with the vector store's current model."
    )
