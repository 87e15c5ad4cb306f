"""The scopes that each public route needs, from the routes' own descriptions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property

from starlette.routing import compile_path

from rag.auth.scopes import SCOPES, Scope
from rag.http.openapi.route import OpenApiRoute

_OPEN_PATHS = frozenset({"/", "/ui", "/docs.json", "/schema.json"})
_OPEN_PREFIXES = ("/static_content/", "/ui/")
"""The page, Swagger UI and what BentoML's clients read first. They tell nothing about documents."""


class RouteScopes:
    """Looks up a request's route.

    Args:
        operations: Returns all public routes. Building them takes a moment, so it is called at the first request.
    """

    def __init__(self, operations: Callable[[], Sequence[OpenApiRoute]]) -> None:
        self._operations = operations

    def needed(self, method: str, path: str) -> Sequence[Scope]:
        """The scopes of which a key needs one; empty if the route needs no key. An unknown route needs any key."""
        if method == "OPTIONS" or path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES):
            return ()
        for methods, pattern, scopes in self._table:
            if method in methods and pattern.match(path):
                return scopes
        return SCOPES

    @cached_property
    def _table(self) -> list[tuple[frozenset[str], re.Pattern[str], Sequence[Scope]]]:
        return [
            (frozenset(route.methods), compile_path(route.mounted_at + route.path)[0], route.operation.scopes)
            for route in self._operations()
        ]
