"""Document attributes in requests, within OpenAI's limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints
from typing_extensions import TypeAliasType

from rag.errors import InvalidRequest
from rag.records import MAX_ATTRIBUTES

MAX_KEY_CHARS = 64
MAX_TEXT_CHARS = 512
RESERVED_KEY = "$read_groups"
"""Under which Milvus has the read groups of a document; clients set them in a field of their own."""


def check_attributes(attributes: object, param: str = "attributes") -> object:
    """The attributes unchanged.

    Raises:
        InvalidRequest: there are too many, or one has an invalid key or value.
    """
    if not isinstance(attributes, Mapping):
        return attributes  # pydantic rejects anything that is not an object
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidRequest(f"{param}: a document has at most {MAX_ATTRIBUTES} attributes", param=param)
    for key, value in attributes.items():
        if not 1 <= len(key) <= MAX_KEY_CHARS or not _is_storable(key):
            raise InvalidRequest(f"{param}: a key must have 1 to {MAX_KEY_CHARS} characters", param=param)
        if key == RESERVED_KEY:
            raise InvalidRequest(f"{param}: the key {key} is reserved; send the field read_groups", param=param)
        if (problem := _problem(value)) is not None:
            raise InvalidRequest(f"{param}.{key}: {problem}", param=param)
    return attributes


def check_changed_attributes(attributes: object) -> object:
    """Like `check_attributes`, but allows null, which removes an attribute."""
    if isinstance(attributes, Mapping):
        check_attributes({key: value for key, value in attributes.items() if value is not None})
    return attributes


_Key = Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY_CHARS)]
_Value: TypeAlias = Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | float | int | bool
DocumentAttributes = TypeAliasType(
    "DocumentAttributes",
    Annotated[
        dict[_Key, _Value],
        Field(max_length=MAX_ATTRIBUTES),
        BeforeValidator(check_attributes),  # runs first: pydantic's errors would name each alternative of the union
        Field(description="Stored with a document, for filters to compare."),
    ],
)
ChangedAttributes = TypeAliasType(
    "ChangedAttributes",
    Annotated[
        dict[_Key, _Value | None],
        Field(max_length=MAX_ATTRIBUTES),
        BeforeValidator(check_changed_attributes),
        Field(description="With `merge`, null removes an attribute."),
    ],
)


def _problem(value: object) -> str | None:
    if isinstance(value, str):
        if len(value) > MAX_TEXT_CHARS:
            return f"a string may have at most {MAX_TEXT_CHARS} characters"
        return None if _is_storable(value) else "contains a NUL character or half a surrogate pair"
    if isinstance(value, int | float):
        return None if abs(value) < 2**63 else "the number is too large"  # also true of NaN
    return "must be a string, a number or a boolean"


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL can store the text: no NUL, and valid Unicode."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
