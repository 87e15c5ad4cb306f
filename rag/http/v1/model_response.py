"""Responses whose body is a pydantic model."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response

from rag.http.inner_headers import OBJECT_ID


def model_response(model: BaseModel, headers: Mapping[str, str] | None = None) -> Response:
    """The fields that were set, as JSON. OpenAI's models have many fields that this service does not use."""
    content = model.model_dump_json(exclude_unset=True)
    object_id = getattr(model, "id", None)
    own = {OBJECT_ID: object_id} if object_id else {}
    return Response(content, media_type="application/json", headers={**own, **(headers or {})})
