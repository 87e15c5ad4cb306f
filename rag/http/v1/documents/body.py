"""JSON bodies of the `/v1` routes: what OpenAI's requests hold, checked as strictly as our own."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from starlette.requests import Request

from rag.errors import InvalidRequest
from rag.http.attributes_wire import checked_attributes
from rag.http.retrieval_settings import RetrievalSettings
from rag.http.wire import first_fault, json_object
from rag.types import Attributes


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("has a NUL character")  # PostgreSQL keeps none
    return text


Text = Annotated[str, AfterValidator(_without_nul)]
Id = Annotated[Text, StringConstraints(min_length=1, max_length=256)]
Metadata = Annotated[
    dict[Annotated[Text, StringConstraints(min_length=1, max_length=64)], Annotated[Text, Field(max_length=512)]],
    Field(max_length=16),
]
MAX_BATCH_FILES = 2000
MAX_QUERIES = 20


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _example(**fields: Any) -> ConfigDict:
    """One that can be tried as it is, for people who look at the published API."""
    return ConfigDict(json_schema_extra={"example": fields})


Model = TypeVar("Model", bound=Body)


async def read_body(model: type[Model], request: Request, *, may_be_empty: bool = False) -> Model:
    """Raises InvalidRequest, which names the first field at fault."""
    raw = await request.body()
    if may_be_empty and not raw.strip():
        return model()
    try:
        return model.model_validate(json_object(request.headers.get("content-type"), raw))
    except ValidationError as error:
        raise first_fault(error) from None


class ExpiresAfter(Body):
    anchor: Literal["last_active_at"]
    days: int = Field(ge=1, le=365)


class UpdateStore(Body):
    model_config = _example(name="manuals", metadata={"owner": "ada"})

    name: Text | None = Field(None, min_length=1, max_length=256)
    description: Text | None = Field(None, max_length=2048)
    metadata: Metadata | None = None
    expires_after: ExpiresAfter | None = None
    chunking_strategy: dict[str, Any] | None = None
    retrieval: RetrievalSettings | None = None
    """Ours: how it is searched, in place of all that was said of it before."""


class CreateStore(UpdateStore):
    model_config = _example(name="manuals")

    file_ids: list[Id] | None = Field(None, max_length=MAX_BATCH_FILES)


class AttachFile(Body):
    model_config = _example(file_id="file-0123", attributes={"topic": "guide"})

    file_id: Id
    attributes: dict[str, Any] | None = None
    chunking_strategy: dict[str, Any] | None = None


class CreateBatch(Body):
    """Either `file_ids`, with what holds for all of them, or `files`, each with its own."""

    model_config = _example(file_ids=["file-0123"])

    file_ids: list[Id] | None = Field(None, min_length=1, max_length=MAX_BATCH_FILES)
    files: list[AttachFile] | None = Field(None, min_length=1, max_length=MAX_BATCH_FILES)
    attributes: dict[str, Any] | None = None
    chunking_strategy: dict[str, Any] | None = None

    def wanted(self) -> list[AttachFile]:
        if (self.file_ids is None) == (self.files is None):
            raise InvalidRequest("file_ids: give exactly one of file_ids and files", param="file_ids")
        if self.files is not None and (self.attributes is not None or self.chunking_strategy is not None):
            name = "attributes" if self.attributes is not None else "chunking_strategy"
            raise InvalidRequest(f"{name}: with files, give each file its own", param=name)
        if self.files is not None:
            return self.files
        common = {"attributes": self.attributes, "chunking_strategy": self.chunking_strategy}
        return [AttachFile.model_validate({"file_id": file_id, **common}) for file_id in self.file_ids or ()]


class SetAttributes(Body):
    model_config = _example(attributes={"topic": "guide"}, merge=True)

    attributes: dict[str, Any] | None
    merge: bool = False
    """Keep those that are not named; null removes one. Ours: OpenAI's call replaces all."""

    def checked(self) -> tuple[Attributes, frozenset[str]]:
        """Those to be set, and the names of those to be removed."""
        given = self.attributes or {}
        removed = frozenset(key for key, value in given.items() if value is None) if self.merge else frozenset()
        return checked_attributes({key: value for key, value in given.items() if key not in removed}), removed


class HybridSearch(Body):
    embedding_weight: float = Field(ge=0, le=1e6)
    text_weight: float = Field(ge=0, le=1e6)

    @model_validator(mode="after")
    def _not_nothing(self) -> Self:
        if not self.embedding_weight and not self.text_weight:
            raise ValueError("one of embedding_weight and text_weight must be more than 0")
        return self


class RankingOptions(Body):
    ranker: Literal["none", "auto", "default-2024-11-15", "default_2024_08_21"] = "auto"
    score_threshold: float = Field(0.0, ge=0, le=1)
    hybrid_search: HybridSearch | None = None


class SearchStore(Body):
    model_config = _example(query="readiness", max_num_results=3)

    query: str | list[str]
    filters: dict[str, Any] | None = None
    max_num_results: int = Field(10, ge=1, le=50)
    ranking_options: RankingOptions | None = None
    rewrite_query: bool | None = None

    def queries(self) -> list[str]:
        texts = [self.query] if isinstance(self.query, str) else self.query
        if not 1 <= len(texts) <= MAX_QUERIES:
            raise InvalidRequest(f"query: give 1 to {MAX_QUERIES} texts", param="query")
        if any(not text.strip() or len(text) > 100_000 for text in texts):
            raise InvalidRequest("query: a text is empty, or longer than 100000 characters", param="query")
        return texts


class RetryJob(Body):
    file_ids: list[Id] = Field(default_factory=list, max_length=100_000)


class Reindex(Body):
    model_config = _example(embedder=None)

    embedder: Id | None
    """Null: build the index anew with the model that the store has."""
