"""Looks up the route of a request: the scopes that it needs, its action and the objects in its path."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from starlette.routing import compile_path

from rag.auth.scopes import SCOPES, Scope
from rag.http.openapi.route import OpenApiRoute

_OPEN_PATHS = frozenset({"/", "/ui", "/docs.json", "/schema.json"})
_OPEN_PREFIXES = ("/static_content/", "/ui/")
"""Paths that need no key: the page, Swagger UI and what BentoML's clients read first. They reveal nothing about
documents."""
_QUESTION_SCOPES = frozenset({"ask", "generate", "metrics"})


@dataclass(frozen=True, slots=True)
class RequestedRoute:
    """The route of a request."""

    action: str
    """The operation's id in the OpenAPI document; empty if no route matched."""
    template: str
    scopes: Sequence[Scope]
    """An API key needs one of them; empty: the route needs no key."""
    uses_tokens: bool = False
    changes: bool = False
    """Whether it changes documents, vector stores, jobs or models, or manages API keys."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """By the names of the template's parameters, as the client wrote them."""


_OPEN = RequestedRoute("", "", ())
_UNKNOWN = RequestedRoute("", "unmatched", SCOPES)
"""For a route that does not exist, any valid key is enough."""


class RouteTable:
    """Looks up a request's route.

    Args:
        operations: Returns all public routes. Building them takes a moment, so it is called at the first request.
    """

    def __init__(self, operations: Callable[[], Sequence[OpenApiRoute]]) -> None:
        self._operations = operations

    def find(self, method: str, path: str) -> RequestedRoute:
        if method == "OPTIONS" or path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES):
            return _OPEN
        for route, pattern in self._table:
            if method in route.methods and (match := pattern.match(path)):
                return _requested(route, match.groupdict())
        return _UNKNOWN

    @cached_property
    def _table(self) -> list[tuple[OpenApiRoute, re.Pattern[str]]]:
        return [(route, compile_path(route.mounted_at + route.path)[0]) for route in self._operations()]


def _requested(route: OpenApiRoute, ids: Mapping[str, str]) -> RequestedRoute:
    operation, is_read = route.operation, "GET" in route.methods
    is_managing = set(operation.scopes) == {"admin"}
    return RequestedRoute(
        operation.id,
        route.mounted_at + route.path_format,
        operation.scopes,
        uses_tokens=operation.uses_tokens,
        changes=is_managing or not (is_read or _QUESTION_SCOPES & set(operation.scopes)),
        ids=ids,
    )
