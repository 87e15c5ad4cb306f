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
from rag.http.v1.page_ends import page_ends
from rag.records import Page, Record

ListItem = TypeVar("ListItem", File, VectorStoreObject, VectorStoreFile, FilePassage, Job, ApiKey, AuditEntry)


class ListOf(BaseModel, Generic[ListItem]):
    """One page of a list. `after=last_id` requests the next page."""

    object: Literal["list"]
    data: list[ListItem]
    first_id: str
    last_id: str
    has_more: bool = Field(description="Whether there is a next page.")


def list_of(page: Page[Record], to_object: Callable[[Record], ListItem]) -> ListOf[ListItem]:
    data = [to_object(record) for record in page.rows]
    ends = page_ends([item.id for item in data])
    return ListOf[ListItem](object="list", data=data, **ends, has_more=page.has_more)
