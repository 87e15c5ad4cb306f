"""Every public route is found by its template, and nothing else has one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from rag.http.middleware.route_templates import UNMATCHED, RouteTemplates, method_label
from rag.http.published_document import public_operations

PUBLIC = [route.mounted_at + route.path for route in public_operations()]
templates = RouteTemplates(lambda: PUBLIC)


def test_every_public_route_has_its_template() -> None:
    for route in public_operations():
        template = route.mounted_at + route.path_format
        assert templates.of(re.sub(r"{\w+}", "x-1", template)) == template


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/ask", "/ask"), ("/ask/", UNMATCHED), ("/", UNMATCHED), ("", UNMATCHED), ("/v1", UNMATCHED),
        ("/v1/files/file-1", "/v1/files/{file_id}"), ("/v1/files/a/b", UNMATCHED), ("/v1/filesx", UNMATCHED),
        ("/v1/models/org/name:1b", "/v1/models/{model}"), ("/V1/FILES", UNMATCHED),
    ],
)  # fmt: skip
def test_paths(path: str, template: str) -> None:
    assert templates.of(path) == template


def test_routes_are_listed_at_the_first_request() -> None:
    listed: list[Sequence[str]] = []

    def routes() -> Sequence[str]:
        listed.append(["/a"])
        return ["/a"]

    late = RouteTemplates(routes)
    assert listed == []
    assert [late.of("/a"), late.of("/b"), len(listed)] == ["/a", UNMATCHED, 1]


@pytest.mark.parametrize(("method", "label"), [("GET", "GET"), ("get", "other"), ("BREW", "other"), ("", "other")])
def test_unknown_methods_share_a_label(method: str, label: str) -> None:
    assert method_label(method) == label
