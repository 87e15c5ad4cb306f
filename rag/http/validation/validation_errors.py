"""Converts pydantic's validation errors to `InvalidRequest`, which names the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypeAliasType

from rag.errors import InvalidFilter, InvalidRequest
from rag.http.fields.chunking_wire import ChunkingStrategyParam
from rag.http.fields.filters_wire import Filter

_REASONS = {
    "extra_forbidden": "is not a field of this request",
    "missing": "is required",
    "none_required": "is not supported; leave it out",
}


ModelType = TypeVar("ModelType", bound=BaseModel)


def parsed(model: type[ModelType], data: object) -> ModelType:
    """The data as a model.

    Raises:
        InvalidRequest: names the first invalid field.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise first_fault(error) from None


def first_fault(error: ValidationError) -> InvalidRequest:
    """The first of pydantic's errors as an `InvalidRequest`. The message never repeats the input."""
    fault = error.errors(include_url=False, include_input=False)[0]
    path = _field_path(fault["loc"])
    if fault["type"].startswith("union_tag"):
        path.append("type")  # of a filter or a chunking strategy
    name, reason = ".".join(path) or None, _reason(fault)
    if "filters" in path and not (path[-1] == "filters" and fault["type"] == "model_attributes_type"):
        param = ".".join(path[: path.index("filters") + 1])
        return InvalidFilter(f"{name}: {reason}", param=param)
    return InvalidRequest(f"{name}: {reason}" if name else reason, param=name)


def _reason(fault: ErrorDetails) -> str:
    kind, message = fault["type"], fault["msg"].removeprefix("Value error, ")
    if kind == "union_tag_invalid":
        return f"must be one of {fault['ctx']['expected_tags']}"
    if kind == "union_tag_not_found":
        return "is required"
    if kind in ("model_attributes_type", "model_type"):
        return "must be an object"
    if kind == "literal_error":
        return message.replace("Input should be", "must be")
    if kind == "too_short" and message.endswith(", not 0"):
        return "is empty"
    return _REASONS.get(kind, message)


def _field_path(location: Sequence[int | str]) -> list[str]:
    """The field's names and positions in the request, without the union types and tags that pydantic inserts."""
    path: list[str] = []
    expects_tag = False
    for place, part in enumerate(location):
        if expects_tag and part in _TAGS:
            expects_tag = False
        elif place == 0 or not _is_type_name(part):
            path.append(str(part))
            expects_tag = part in _UNIONS or (isinstance(part, int) and path[-2:-1] == ["filters"])
    return path


_UNIONS = ("filters", "chunking_strategy")
"""Fields that are discriminated unions: their `type` selects the model."""


def _tags(union: TypeAliasType) -> set[str]:
    """The values of `type` that select one of the union's models."""
    models = get_args(get_args(union.__value__)[0])
    return {tag for model in models for tag in get_args(model.model_fields["type"].annotation)}


_TAGS = _tags(Filter) | _tags(ChunkingStrategyParam)


def _is_type_name(part: int | str) -> bool:
    """Whether the part is the name of a type that pydantic tried, such as `str` or `dict[str,any]`."""
    return isinstance(part, str) and (part in ("str", "int", "float", "bool", "constrained-str") or "[" in part)
