"""Responses whose body is a pydantic model."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response


def model_response(model: BaseModel, headers: Mapping[str, str] | None = None) -> Response:
    """The fields that were set, as JSON. OpenAI's models have many fields that this service does not use."""
    content = model.model_dump_json(exclude_unset=True)
    return Response(content, media_type="application/json", headers=headers)
