"""Query strings of lists."""

from __future__ import annotations

from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request

from rag.http.v1.documents.body import Text
from rag.http.validation.validation_errors import parsed
from rag.records import Cursor, DocumentSort, WorkStatus


class ListQuery(BaseModel):
    """Which part of a list is requested."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Maximum number of objects.")
    order: Literal["asc", "desc"] = Field("desc", description="Order by time of creation.")
    after: Text | None = Field(None, description="ID of an object; the list starts after it.")
    before: Text | None = Field(None, description="ID of an object; the list ends before it.")

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.limit, self.order, self.after, self.before)


class DocumentQuery(ListQuery):
    filter: WorkStatus | None = Field(None, description="Only files with this status.")


class StoreDocumentQuery(DocumentQuery):
    name: Text | None = Field(None, description="Only documents whose name contains this, in upper or lower case.")
    sort: DocumentSort = Field("created_at", description="What `order` refers to.")


class ContentQuery(BaseModel):
    """Which part of a document's text is requested."""

    model_config = ConfigDict(extra="forbid")

    start: int | None = Field(None, ge=0, description="Character offset at which the part begins; unset: the start.")
    end: int | None = Field(None, ge=0, description="Character offset at which the part ends; unset: the end.")

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.end is not None and self.end < (self.start or 0):
            raise ValueError("end must not be less than start")
        return self


class PassageQuery(BaseModel):
    """Which passages of a document are requested."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Maximum number of passages.")
    after: Text | None = Field(None, description="ID of a passage; the list starts after it.")


class VersionQuery(BaseModel):
    """Which versions of a document are requested."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Maximum number of versions.")
    before_version: int | None = Field(None, ge=1, le=2**53, description="Only versions with a lower number.")


class JobQuery(ListQuery):
    vector_store_id: Text | None = Field(None, description="Only jobs of this vector store.")
    active: Literal["true", "false"] = Field("false", description="`true`: only jobs that have not ended.")


class FileQuery(BaseModel):
    """Which part of the list of files is requested."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10_000, ge=1, le=10_000, description="Maximum number of objects.")
    order: Literal["asc", "desc"] = Field("desc", description="Order by time of creation.")
    after: Text | None = Field(None, description="ID of a file; the list starts after it.")
    purpose: Text | None = Field(None, description="Only files with this purpose.")

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.limit, self.order, self.after)


QueryModel = TypeVar("QueryModel", bound=BaseModel)


def read_query(model: type[QueryModel], request: Request) -> QueryModel:
    """The request's query string, validated.

    Raises:
        InvalidRequest: names the first invalid parameter.
    """
    return parsed(model, {name[:80]: value for name, value in request.query_params.items()})
