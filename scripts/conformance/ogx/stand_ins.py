"""Stand-ins for the parts of OGX's own packages that its integration tests import, so that no OGX is installed."""

from __future__ import annotations

import enum
import logging
import sys
import types
import uuid
from typing import Any, Literal, get_args

from openai.types.responses import ResponseError
from pydantic import BaseModel, ConfigDict


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


class ChunkMetadata(Loose):
    pass


class EmbeddedChunk(Loose):
    pass


class ExpiresAfter(BaseModel):
    anchor: Literal["created_at"] = "created_at"
    seconds: int


class OpenAIFilePurpose(enum.StrEnum):
    ASSISTANTS = "assistants"
    BATCH = "batch"
    USER_DATA = "user_data"


class ComparisonFilter(BaseModel):
    type: str
    key: str
    value: Any


class CompoundFilter(BaseModel):
    type: str
    filters: list[Any]


class OgxLibraryClient:
    """Nothing is an instance of it: the tests speak to a server."""


class NamedError(Exception):
    """OGX's text of an error is not expected of this service; what the error is about must be named."""

    def __init__(self, name: str) -> None:
        super().__init__(name)


def install() -> None:
    """Make the modules importable. Importing anything else of OGX is an error of the test."""
    _module(
        "ogx_api",
        ChunkMetadata=ChunkMetadata,
        EmbeddedChunk=EmbeddedChunk,
        ExpiresAfter=ExpiresAfter,
        OpenAIFilePurpose=OpenAIFilePurpose,
    )
    _module("ogx_api.filters", ComparisonFilter=ComparisonFilter, CompoundFilter=CompoundFilter)
    errors = ("ConversationNotFoundError", "ModelNotFoundError", "ResponseNotFoundError")
    _module("ogx_api.common.errors", **dict.fromkeys(errors, NamedError))
    _module("ogx.core.library_client", OGXAsLibraryClient=OgxLibraryClient)
    _module(
        "ogx.core.datatypes",
        User=Loose,
        AuthenticationRequiredError=type("AuthenticationRequiredError", (Exception,), {}),
    )
    _module("ogx.log", get_logger=lambda name, category="": logging.getLogger(name))
    _module("ogx.providers.utils.vector_io.vector_utils", generate_chunk_id=_chunk_id)
    codes = set(get_args(ResponseError.model_fields["code"].annotation))
    _module("ogx.providers.inline.responses.builtin.responses.streaming", _VALID_RESPONSE_ERROR_CODES=codes)


def _chunk_id(document_id: str, content: str, window: str | None = None) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{document_id}:{content}:{window}"))


def _module(name: str, **names: object) -> None:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        path = ".".join(parts[:length])
        if path not in sys.modules:
            module = types.ModuleType(path)
            module.__path__ = []
            sys.modules[path] = module
            if length > 1:
                setattr(sys.modules[".".join(parts[: length - 1])], parts[length - 1], module)
    vars(sys.modules[name]).update(names)
