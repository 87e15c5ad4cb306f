"""`scripts/conformance/openai_document.py` finds what a client of one document would miss in another."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "scripts" / "conformance"
ID = {"name": "thing_id", "in": "path", "required": True, "schema": {"type": "string"}}


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("document_comparison", "document_schemas"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def document(path: str, request: Mapping[str, Any], response: Mapping[str, Any], **schemas: Any) -> dict[str, Any]:
    operation = {
        "parameters": [ID],
        "requestBody": {"content": {"application/json": {"schema": request}}},
        "responses": {"200": {"content": {"application/json": {"schema": response}}}},
    }
    return {"paths": {path: {"post": operation}}, "components": {"schemas": schemas}}


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any], direction: str = "request") -> dict[str, str]:
    """Reasons by property, of a request or a response that both documents describe."""
    nothing: dict[str, Any] = {"type": "object"}
    bodies = [(schema, nothing) if direction == "request" else (nothing, schema) for schema in (theirs, ours)]
    found = compared(document("/things/{thing_id}", *bodies[0]), document("/v1/things/{id}", *bodies[1]))
    return {one.place.rpartition(f"{direction}.")[2]: one.reason for one in found if one.reason}


def compared(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Any]:
    comparison, schemas = (importlib.import_module(name) for name in ("document_comparison", "document_schemas"))
    one = comparison.Comparison(schemas.Document(theirs), schemas.Document(ours))
    found: list[Any] = one.findings("post", "/things/{thing_id}")
    return found


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TEXT, NUMBER = {"type": "string"}, {"type": "number"}


def test_equal_documents_have_no_differences() -> None:
    body = thing(name=TEXT, size={"type": ["integer", "null"]}, kind={"enum": ["a", "b"]})
    assert differences(body, body) == differences(body, body, "response") == {}


def test_a_request_must_accept_what_the_reference_accepts() -> None:
    theirs = thing(name={"type": ["string", "null"]}, size=NUMBER, kind={"enum": ["a", "b"]}, gone=TEXT)
    ours = thing(name=TEXT, size={"type": "integer"}, kind={"enum": ["a", "b", "c"]})
    assert differences(theirs, ours) == {
        "name": "not accepted: null",
        "size": "not accepted: number",
        "gone": "missing",
    }
    assert differences(ours, {**ours, "required": ["size"]}) == {"size": "required here"}


def test_a_response_may_only_have_what_the_reference_has() -> None:
    theirs = thing(name=TEXT, size=NUMBER, kind={"enum": ["a", "b"]})
    ours = thing(name={"type": ["string", "null"]}, size={"type": "integer"}, kind=TEXT, more=TEXT)
    assert differences(theirs, ours, "response") == {"name": "may be: null", "kind": "may be: other texts"}
    assert differences({**theirs, "required": ["name"]}, theirs, "response") == {"name": "may be absent"}


def test_what_is_beneath_a_missing_property_is_missing_too_but_is_no_further_difference() -> None:
    theirs = thing(options=thing(colour=TEXT, inner=thing(depth=NUMBER)))
    found = compared(document("/things/{thing_id}", theirs, {}), document("/v1/things/{id}", thing(), {}))
    assert [(one.place.rpartition("request.")[2], one.beneath) for one in found if one.reason] == [
        ("options", False),
        ("options.colour", True),
        ("options.inner", True),
        ("options.inner.depth", True),
    ]


def test_alternatives_are_compared_with_those_of_the_same_type() -> None:
    def tool(kind: str, **properties: Any) -> dict[str, Any]:
        return thing(type={"const": kind}, **properties)

    theirs = thing(tools={"type": "array", "items": {"oneOf": [tool("search", limit=NUMBER), tool("web", site=TEXT)]}})
    ours = thing(tools={"type": "array", "items": {"anyOf": [tool("function", site=TEXT), tool("search", limit=TEXT)]}})
    assert differences(theirs, ours) == {
        "tools[].limit": "not accepted: number",
        "tools[]": "lacks the alternatives web",
        "tools[].site": "missing",
    }


def test_references_are_followed_and_a_schema_that_contains_itself_ends() -> None:
    filter_ = thing(key=TEXT, filters={"type": "array", "items": {"$ref": "#/components/schemas/Filter"}})
    theirs = document("/things/{thing_id}", {"$ref": "#/components/schemas/Filter"}, {}, Filter=filter_)
    ours = document("/v1/things/{id}", {"$ref": "#/components/schemas/Filter"}, {}, Filter=filter_)
    assert [one.reason for one in compared(theirs, ours)] == ["", "", ""]


def test_an_operation_that_we_lack_is_not_offered() -> None:
    comparison, schemas = (importlib.import_module(name) for name in ("document_comparison", "document_schemas"))
    theirs = schemas.Document(document("/things/{thing_id}", thing(name=TEXT), {}))
    one = comparison.Comparison(theirs, schemas.Document(document("/v1/others", {}, {})))
    assert list(comparison.operations(theirs, ["/things"])) == [("post", "/things/{thing_id}")]
    assert not one.offered("post", "/things/{thing_id}")
