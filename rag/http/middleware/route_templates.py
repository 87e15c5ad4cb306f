"""Route templates: labels of metrics and names of spans. Their number is small, however many paths are requested."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from starlette.routing import compile_path

if TYPE_CHECKING:
    import re

UNMATCHED = "unmatched"
OTHER_METHOD = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RouteTemplates:
    """Finds the template of a path, such as `/v1/files/{file_id}`.

    Args:
        routes: Returns the paths of the routes, with parameters as Starlette writes them. Called at the first request.
    """

    def __init__(self, routes: Callable[[], Iterable[str]] = tuple) -> None:
        self._routes = routes

    def of(self, path: str) -> str:
        """The template, or `unmatched`."""
        if path in self._exact:
            return path
        return next((template for pattern, template in self._patterns if pattern.match(path)), UNMATCHED)

    @cached_property
    def _sorted_routes(self) -> list[str]:
        return sorted(set(self._routes()))

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(route for route in self._sorted_routes if "{" not in route)

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        compiled = [compile_path(route) for route in self._sorted_routes if "{" in route]
        return [(pattern, template) for pattern, template, _ in compiled]


def method_label(method: str) -> str:
    """The method, or `other`: clients may send any word."""
    return method if method in _METHODS else OTHER_METHOD
