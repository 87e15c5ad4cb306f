"""OpenAI's attribute filters in requests."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

from rag.http.fields.fail_fast import StrictModel
from rag.retrieve.search.filters import (
    KEY_RULE,
    MAX_CLAUSES,
    MAX_DEPTH,
    MAX_LIST_VALUES,
    MAX_STRING_CHARS,
    is_safe_key,
)
from rag.types import JsonObject


def _checked_key(key: str) -> str:
    if not is_safe_key(key):
        raise ValueError(KEY_RULE)
    return key


FilterKey = Annotated[
    str,
    Field(min_length=1, max_length=64, description="Name of an attribute, or `filename` or `file_id`."),
    AfterValidator(_checked_key),
]
_String = Annotated[str, Field(max_length=MAX_STRING_CHARS)]
_Scalar: TypeAlias = _String | int | float | bool


class EqualityFilter(StrictModel):
    type: Literal["eq", "ne"]
    key: FilterKey
    value: _Scalar


class OrderFilter(StrictModel):
    type: Literal["gt", "gte", "lt", "lte"]
    key: FilterKey
    value: _String | int | float


class MembershipFilter(StrictModel):
    type: Literal["in", "nin"]
    key: FilterKey
    value: list[_Scalar] = Field(min_length=1, max_length=MAX_LIST_VALUES)


class CompoundFilter(StrictModel):
    type: Literal["and", "or"]
    filters: list[Filter] = Field(min_length=1, max_length=MAX_CLAUSES - 1)


Filter = TypeAliasType(
    "Filter",
    Annotated[
        EqualityFilter | OrderFilter | MembershipFilter | CompoundFilter,
        Field(
            discriminator="type",
            description="A comparison of a document attribute, or a combination of filters. At most "
            f"{MAX_DEPTH} levels and {MAX_CLAUSES} filters. A document without the attribute never matches.",
            json_schema_extra={"example": {"type": "eq", "key": "topic", "value": "guide"}},
        ),
    ],
)


def filter_to_json(filters: Filter | None) -> JsonObject | None:
    """The filter as the JSON object that it was parsed from."""
    return None if filters is None else filters.model_dump()
