"""The bodies of `/v1/uploads`, and its objects in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from openai.types import Upload as OpenAIUpload
from openai.types.uploads import UploadPart
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from rag.http.v1.documents.body import Body, Id, Text, example
from rag.http.v1.documents.files import MAX_EXPIRY_S, MIN_EXPIRY_S
from rag.http.v1.documents.objects.file import File, file_object, shown_purpose
from rag.records import UploadPartRecord, UploadRecord

MAX_PARTS = 10_000
PART_FIELD = "data"
_Md5 = Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{32}$")]


class FileExpiry(Body):
    anchor: Literal["created_at"]
    seconds: int = Field(ge=MIN_EXPIRY_S, le=MAX_EXPIRY_S)


class CreateUpload(Body):
    model_config = example(filename="guide.md", purpose="assistants", bytes=11, mime_type="text/markdown")

    filename: Text = Field(min_length=1, max_length=512)
    purpose: Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"] = Field(
        description="`batch`: the file is the input of a batch, and no document can be made of it."
    )
    bytes: int = Field(ge=1, le=2**53, description="Of the whole file.")
    mime_type: Text = Field(max_length=256, description="Only its `charset` has an effect.")
    expires_after: FileExpiry | None = Field(None, description="When the file expires.")


class AddPart(BaseModel):
    """The multipart form of a part. The handler reads it as it arrives, and writes the part to disk."""

    model_config = ConfigDict(extra="forbid")

    data: Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})] = Field(
        description="A part of the file's bytes."
    )


class CompleteUpload(Body):
    model_config = example(part_ids=["part_0123"])

    part_ids: list[Id] = Field(min_length=1, max_length=MAX_PARTS, description="In the order of the file's bytes.")
    md5: _Md5 | None = Field(None, description="Of the whole file, in hex. If it differs, no file is made.")


class Upload(OpenAIUpload):
    file: File | None = None


def upload_object(record: UploadRecord) -> Upload:
    complete = {} if record.file is None else {"file": file_object(record.file)}
    return Upload(
        id=record.upload_id,
        object="upload",
        bytes=record.bytes,
        created_at=int(record.created_at),
        expires_at=int(record.expires_at),
        filename=record.filename,
        purpose=shown_purpose(record.purpose),
        status=record.status,
        **complete,
    )


def part_object(record: UploadPartRecord) -> UploadPart:
    return UploadPart(
        id=record.part_id, object="upload.part", created_at=int(record.created_at), upload_id=record.upload_id
    )
