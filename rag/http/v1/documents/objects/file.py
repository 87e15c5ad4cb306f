"""OpenAI's `file` object."""

from __future__ import annotations

from openai.types import FileObject
from pydantic import Field

from rag.http.fields.groups_wire import READ_GROUPS
from rag.http.v1.documents.objects.seconds import seconds
from rag.records import FileRecord


class File(FileObject):
    content_hash: str = Field(description="SHA-256 of the content, in hex.")
    read_groups: list[str] = Field(description=READ_GROUPS)


def shown_purpose(purpose: str) -> str:
    """The purpose as responses show it. OpenAI's document accepts `evals` but never returns it, and clients that are
    generated from it refuse the value. Here such a file is shown as `user_data`.
    """
    return "user_data" if purpose == "evals" else purpose


def file_object(file: FileRecord) -> File:
    expiry = {} if file.expires_at is None else {"expires_at": seconds(file.expires_at)}
    return File(
        id=file.file_id,
        object="file",
        bytes=file.bytes,
        created_at=int(file.created_at),
        filename=file.filename,
        purpose=shown_purpose(file.purpose),
        status="processed",
        content_hash=file.content_hash,
        read_groups=list(file.read_groups),
        **expiry,
    )
