"""A function that a request offers to the model, as both of OpenAI's APIs describe it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from rag.http.v1.documents.body import Body
from rag.types import JsonObject

FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
MAX_FUNCTIONS = 128
_NO_ARGUMENTS: JsonObject = {"type": "object", "properties": {}}


class FunctionIn(Body):
    name: FunctionName
    description: str | None = Field(None, max_length=100_000)
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @property
    def schema_of_arguments(self) -> JsonObject:
        return self.parameters or _NO_ARGUMENTS

    def for_model(self) -> JsonObject:
        """In the format of `rag.types.Chat`."""
        return {"type": "function", "function": self.model_dump(include={*FunctionIn.model_fields}, exclude_none=True)}
