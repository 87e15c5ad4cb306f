"""Which part of a list a query string asks for, and the list it gets."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request

from rag.errors import InvalidRequest
from rag.records import Cursor, Page, WorkStatus
from rag.types import JsonObject

Row = TypeVar("Row")
_STATUS: TypeAdapter[WorkStatus] = TypeAdapter(WorkStatus)
_ORDER: TypeAdapter[Literal["asc", "desc"]] = TypeAdapter(Literal["asc", "desc"])
_FLAG: TypeAdapter[Literal["true", "false"]] = TypeAdapter(Literal["true", "false"])
_BASIC = ("limit", "order", "after")


def read_cursor(
    request: Request, *, others: Collection[str] = (), max_limit: int = 100, default_limit: int = 20
) -> Cursor:
    """Raises InvalidRequest for what is wrong, also for a parameter that is none of these and `others`."""
    query = request.query_params
    for name, value in query.items():
        if name not in (*_BASIC, *others):
            raise InvalidRequest(f"{name[:80]}: is not a parameter of this request", param=name[:80])
        if "\0" in value:
            raise InvalidRequest(f"{name}: has a NUL character", param=name)
    limits: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=1, le=max_limit)])
    return Cursor(
        limit=_checked("limit", limits, query.get("limit"), f"a whole number from 1 to {max_limit}") or default_limit,
        order=_checked("order", _ORDER, query.get("order"), "asc or desc") or "desc",
        after=query.get("after"),
        before=query.get("before"),
    )


def read_status(request: Request) -> WorkStatus | None:
    """The query parameter `filter`."""
    return _checked(
        "filter", _STATUS, request.query_params.get("filter"), "in_progress, completed, failed or cancelled"
    )


def read_flag(request: Request, name: str) -> bool:
    return _checked(name, _FLAG, request.query_params.get(name), "true or false") == "true"


def _checked(name: str, kind: TypeAdapter[Row], value: str | None, words: str) -> Row | None:
    if value is None:
        return None
    try:
        return kind.validate_python(value)
    except ValidationError:
        raise InvalidRequest(f"{name}: must be {words}", param=name) from None


def list_of(page: Page[Row], to_object: Callable[[Row], JsonObject]) -> JsonObject:
    """OpenAI's list."""
    data = [to_object(row) for row in page.rows]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": page.has_more,
    }
