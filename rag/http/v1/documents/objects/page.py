"""OpenAI's list object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from rag.http.v1.documents.objects.audit_entry import AuditEntry
from rag.http.v1.documents.objects.document import FilePassage, VectorStoreFile
from rag.http.v1.documents.objects.file import File
from rag.http.v1.documents.objects.job import Job
from rag.http.v1.documents.objects.key import ApiKey
from rag.http.v1.documents.objects.store import VectorStoreObject
from rag.records import Page, Record

ListItem = TypeVar("ListItem", File, VectorStoreObject, VectorStoreFile, FilePassage, Job, ApiKey, AuditEntry)


class ListOf(BaseModel, Generic[ListItem]):
    """One page of a list. `after=last_id` requests the next page."""

    object: Literal["list"]
    data: list[ListItem]
    first_id: str | None
    last_id: str | None
    has_more: bool = Field(description="Whether there is a next page.")


def list_of(page: Page[Record], to_object: Callable[[Record], ListItem]) -> ListOf[ListItem]:
    data = [to_object(record) for record in page.rows]
    return ListOf[ListItem](
        object="list",
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=page.has_more,
    )
