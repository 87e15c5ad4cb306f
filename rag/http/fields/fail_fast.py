"""Makes pydantic stop at the first invalid item of a list: a megabyte of them would take seconds to report."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType

_SEQUENCES = ("list", "tuple", "set", "frozenset")


def fail_fast(schema: CoreSchema) -> CoreSchema:
    """The schema, in which all sequences stop at their first error. The given schema is changed."""
    pending: list[object] = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            if part.get("type") in _SEQUENCES:
                part["fail_fast"] = True
            pending += [value for name, value in part.items() if name != "metadata"]
        elif isinstance(part, list | tuple):
            pending += part
    return schema


class FailFastModel(BaseModel):
    """The base of all models in requests: its lists are refused at their first invalid item."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[object], handler: GetCoreSchemaHandler) -> CoreSchema:
        return fail_fast(handler(source))


class StrictModel(FailFastModel):
    """Also refuses unknown fields, and values of another type, infinity and NaN. A null of an optional field that
    cannot be null means that the field is left out.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: object) -> object:
        return without_nulls(cls, data) if isinstance(data, dict) else data


def without_nulls(model: type[BaseModel], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data without nulls of the model's optional fields that cannot be null."""
    if None not in data.values():
        return data
    return {name: value for name, value in data.items() if value is not None or name not in _never_null(model)}


@functools.cache
def _never_null(model: type[BaseModel]) -> frozenset[str]:
    """The names of the fields that have a default and cannot be null."""
    return frozenset(
        field.alias or name
        for name, field in model.model_fields.items()
        if not field.is_required() and not _admits_null(field.annotation)
    )


def _admits_null(annotation: object) -> bool:
    """Whether None is the type itself or one of the types of a union."""
    if isinstance(annotation, TypeAliasType):
        return _admits_null(annotation.__value__)
    if get_origin(annotation) is Annotated:
        return _admits_null(get_args(annotation)[0])
    return annotation in (None, type(None), Any, object) or any(
        _admits_null(part) for part in get_args(annotation) if get_origin(annotation) in (Union, UnionType)
    )
