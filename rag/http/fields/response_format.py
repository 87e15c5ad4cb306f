"""OpenAI's `response_format`, and what it means for vLLM."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field
from typing_extensions import TypeAliasType

from rag.errors import InvalidRequest
from rag.types import JsonObject


def structured_outputs(response_format: JsonObject | None) -> JsonObject | None:
    """OpenAI's `response_format` as vLLM's structured outputs; None: any text. Raises InvalidRequest."""
    kind = None if response_format is None else response_format.get("type")
    if response_format is None or kind == "text":
        return None
    if kind == "json_object":
        return {"json_object": True}
    named = response_format.get("json_schema") if kind == "json_schema" else None
    schema = named.get("schema") if isinstance(named, dict) else None
    if isinstance(schema, dict):
        return {"json": schema}
    raise InvalidRequest(
        "response_format: type must be text, json_object, or json_schema with json_schema.schema",
        param="response_format",
    )


def _check_response_format(response_format: object) -> object:
    if isinstance(response_format, dict):
        structured_outputs(response_format)
    return response_format


class PlainTextFormat(BaseModel):
    type: Literal["text"]


class JsonObjectFormat(BaseModel):
    type: Literal["json_object"]


class NamedSchema(BaseModel):
    name: str | None = Field(None, description="Not used.")
    description: str | None = Field(None, description="Not used.")
    schema_: JsonObject = Field(alias="schema", description="A JSON Schema.")
    strict: bool | None = Field(None, description="Not used: every schema is enforced.")


class JsonSchemaFormat(BaseModel):
    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat = TypeAliasType(
    "ResponseFormat",
    Annotated[
        JsonObject,
        BeforeValidator(
            _check_response_format,
            json_schema_input_type=Annotated[
                PlainTextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")
            ],
        ),
        Field(description="OpenAI's response format.", json_schema_extra={"example": {"type": "text"}}),
    ],
)
