"""Responses whose body is a pydantic model."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response

from rag.http.headers.inner_headers import OBJECT_ID


def model_response(model: BaseModel, headers: Mapping[str, str] | None = None) -> Response:
    """The fields that were set, as JSON. OpenAI's models have many fields that this service does not use."""
    content = model.model_dump_json(exclude_unset=True)
    return Response(content, media_type="application/json", headers={**_object_id(model), **(headers or {})})


def _object_id(model: BaseModel) -> dict[str, str]:
    """The names of models, which are ids too, may have characters that no header can hold."""
    value = getattr(model, "id", "")
    return {OBJECT_ID: value} if value and value.isascii() and value.isprintable() else {}
