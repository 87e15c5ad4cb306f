"""One tree of errors, one table, one shape on the wire."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest

from rag import errors
from rag.errors import RagError, all_errors, error_class
from rag.http import error_table
from rag.http.error_table import (
    OURS,
    RETRY_AFTER_S,
    STATUS,
    error_body,
    error_event,
    error_for_status,
    error_from_body,
    error_from_event,
    error_response,
)

ALL = all_errors()
RAISED = [cls for cls in ALL if cls is not errors.Unavailable]


def name_of(cls: type[RagError]) -> str:
    return cls.__name__


@pytest.mark.parametrize("cls", ALL, ids=name_of)
def test_every_error_has_a_status(cls: type[RagError]) -> None:
    assert 400 <= STATUS[cls] < 600


def test_the_table_has_no_status_for_what_is_not_raised() -> None:
    assert set(STATUS) == set(ALL)


def test_every_raised_error_has_a_code_of_its_own() -> None:
    by_code = defaultdict(set)
    for cls in RAISED:
        assert "code" in vars(cls), f"{cls.__name__} inherits the code of its parent"
        by_code[cls.code].add(cls.__name__)
    assert {code: names for code, names in by_code.items() if len(names) > 1} == {}


@pytest.mark.parametrize("cls", RAISED, ids=name_of)
def test_the_tree_in_the_docstring_names_each_class_and_its_code(cls: type[RagError]) -> None:
    assert re.search(rf"(\|--|`--) {cls.__name__} +{cls.code}\b", errors.__doc__ or "")


def test_the_tree_in_the_docstring_names_no_class_that_is_gone() -> None:
    drawn = re.findall(r"(?:\|--|`--) (\w+)", errors.__doc__ or "")
    assert sorted(drawn) == sorted(cls.__name__ for cls in ALL)


@pytest.mark.parametrize("cls", RAISED, ids=name_of)
def test_what_is_for_the_caller_to_mend_is_not_retryable(cls: type[RagError]) -> None:
    if STATUS[cls] < 500:
        assert cls.retryable == (STATUS[cls] == 429)


def test_the_body_is_openais_with_two_more_fields() -> None:
    body = error_body(errors.InvalidFilter("filters: no key", param="filters"), "req-1")
    assert body == {
        "error": {
            "message": "filters: no key",
            "type": "invalid_request_error",
            "param": "filters",
            "code": "invalid_filter",
            "retryable": False,
            "request_id": "req-1",
        }
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (404, "invalid_request_error"), (429, "rate_limit_error"), (503, "server_error")],
)
def test_the_type_is_what_openai_gives(status: int, kind: str) -> None:
    assert error_table.openai_type(status) == kind


@pytest.mark.parametrize("cls", RAISED, ids=name_of)
def test_an_error_comes_back_from_its_body_as_itself(cls: type[RagError]) -> None:
    sent = cls("what failed", param="field")
    got = error_from_body(json.loads(bytes(error_response(sent, "id").body)))
    assert got is not None
    assert (type(got), got.code, got.message, got.param) == (cls, cls.code, "what failed", "field")


@pytest.mark.parametrize("cls", RAISED, ids=name_of)
def test_an_error_comes_back_from_its_event_as_itself(cls: type[RagError]) -> None:
    got = error_from_event(json.loads(json.dumps(error_event(cls("what failed")))))
    assert (type(got), got.code, got.message, got.retryable) == (cls, cls.code, "what failed", cls.retryable)


@pytest.mark.parametrize("body", [None, [], "x", 3, {}, {"error": "x"}, {"error": {}}, {"error": {"message": "x"}}])
def test_a_foreign_body_holds_no_error_of_ours(body: object) -> None:
    assert error_from_body(body) is None


def test_an_unknown_code_is_an_internal_error() -> None:
    assert error_class("from_a_newer_version") is errors.InternalError
    assert type(error_from_event({})) is errors.InternalError


@pytest.mark.parametrize("cls", RAISED, ids=name_of)
def test_429_and_503_say_when_to_come_back(cls: type[RagError]) -> None:
    response = error_response(cls("x"))
    if STATUS[cls] in (429, 503):
        assert response.headers["retry-after"] == str(RETRY_AFTER_S[cls])
        assert int(response.headers["retry-after"]) >= 1
    else:
        assert "retry-after" not in response.headers


@pytest.mark.parametrize("cls", RAISED, ids=name_of)
def test_a_response_carries_the_mark_of_ours(cls: type[RagError]) -> None:
    response = error_response(cls("naïve \ud800"), "id")
    assert (response.status_code, response.headers[OURS]) == (STATUS[cls], cls.code)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "not_found"), (405, "method_not_allowed"), (429, "overloaded"), (504, "timeout"),
        (400, "invalid_request"), (422, "invalid_request"), (500, "internal_error"), (503, "dependency_unavailable"),
    ],
)  # fmt: skip
def test_a_foreign_status_becomes_an_error_of_ours(status: int, code: str) -> None:
    """docs/bentoml_issues.md#b7: what BentoML answers by itself has another shape."""
    assert error_for_status(status, "/x").code == code


def test_a_wrong_method_is_told_the_right_ones() -> None:
    assert error_for_status(405, "/x", "GET, HEAD").message == "/x supports only GET, HEAD"
    assert "/x" in error_for_status(405, "/x").message


def test_the_root_keeps_message_and_param() -> None:
    error = RagError("what failed", param="field")
    assert (str(error), error.message, error.param) == ("what failed", "what failed", "field")
