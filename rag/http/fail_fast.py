"""Makes pydantic stop at the first invalid item of a list: a megabyte of them would take seconds to report."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

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
    """Also refuses unknown fields, and values of another type, infinity and NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
