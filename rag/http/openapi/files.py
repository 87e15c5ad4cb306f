"""`/v1/files`."""

from __future__ import annotations

from openai.types import FileDeleted

from rag.http.openapi.objects import File, ListOf
from rag.http.openapi.operation import FORM, Gives, Operation, Parameter, Takes
from rag.http.openapi.parameters import AFTER, ORDER, RANGE, limit
from rag.http.v1.documents.files import LONGEST_S, PURPOSES, SHORTEST_S
from rag.types import JsonObject

_TAG = "Files"
_PURPOSE: JsonObject = {
    "type": "string",
    "enum": list(PURPOSES),
    "default": "assistants",
    "description": "Kept, and means nothing.",
}
_FORM: JsonObject = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "Whatever it is, with its name."},
        "purpose": _PURPOSE,
        "expires_after[anchor]": {"type": "string", "const": "created_at"},
        "expires_after[seconds]": {"type": "integer", "minimum": SHORTEST_S, "maximum": LONGEST_S},
    },
    "required": ["file"],
    "additionalProperties": False,
}
_CONTENT: JsonObject = {"type": "string", "format": "binary"}

OPERATIONS = (
    Operation(
        name="create_file",
        method="post",
        path="/v1/files",
        tag=_TAG,
        summary="Upload a file",
        takes=Takes(schema=_FORM, media_type=FORM),
        gives=[Gives("The file.", File)],
        fails=[400, 413],
        links={name: {"file_id": "$response.body#/id"} for name in ("get_file", "get_file_content", "delete_file")},
    ),
    Operation(
        name="list_files",
        method="get",
        path="/v1/files",
        tag=_TAG,
        summary="List files",
        parameters=[
            *(limit(10_000, 10_000), ORDER, AFTER),
            Parameter("purpose", {"type": "string"}, "Only those of this purpose."),
        ],
        gives=[Gives("Files.", ListOf[File])],
        fails=[400],
    ),
    Operation(
        name="get_file",
        method="get",
        path="/v1/files/{file_id}",
        tag=_TAG,
        summary="A file",
        gives=[Gives("The file.", File)],
        fails=[404],
    ),
    Operation(
        name="delete_file",
        method="delete",
        path="/v1/files/{file_id}",
        tag=_TAG,
        summary="Delete a file, with its documents in all vector stores",
        gives=[Gives("It is gone.", FileDeleted)],
        fails=[404],
    ),
    Operation(
        name="get_file_content",
        method="get",
        path="/v1/files/{file_id}/content",
        tag=_TAG,
        summary="The newest bytes of a file",
        parameters=[RANGE],
        gives=[
            Gives("All bytes; the type is that of the file's name.", schema=_CONTENT, media_type="*/*"),
            Gives("The bytes that `Range` asked for.", schema=_CONTENT, media_type="*/*", status=206),
        ],
        fails=[400, 404],
    ),
)
