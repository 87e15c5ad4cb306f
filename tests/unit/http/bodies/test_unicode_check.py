"""Half of a surrogate pair is refused wherever it stands in a body, before anything is done."""

from __future__ import annotations

import json

import pytest

from rag.errors import InvalidRequest
from rag.http.validation.wire_model import json_object

LONE = "\ud800"


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ({"query": LONE}, "query"),
        ({"metadata": {"a": f"x{LONE}"}}, "metadata.a"),
        ({"metadata": {LONE: "a"}}, "metadata"),
        ({LONE: 1}, None),
        ({"input": ["a", {"text": "\udfff\ud83d"}]}, "input.1.text"),
        ({"extra_args": {"a": [[LONE]]}}, "extra_args.a.0.0"),
        ({"a": {LONE: {LONE: LONE}}}, "a"),
    ],
)
@pytest.mark.parametrize("encoding", ["escaped", "utf-8", "utf-16"])
def test_it_is_refused_and_its_place_named(value: dict[str, object], param: str | None, encoding: str) -> None:
    if encoding == "escaped":
        body = json.dumps(value).encode()
    else:
        body = json.dumps(value, ensure_ascii=False).encode(encoding, "surrogatepass")
    with pytest.raises(InvalidRequest) as caught:
        json_object("application/json", body)
    assert caught.value.param == param
    assert caught.value.message.encode()  # itself valid


@pytest.mark.parametrize(
    "value", [{"a": "🦄\U0010ffff"}, {"🦄": "\ud7ff"}, {"a": "\\ud800"}, {"tokens": [1, 2], "n": None}]
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_valid_text_is_accepted(value: dict[str, object], ascii_only: bool) -> None:
    assert json_object("application/json", json.dumps(value, ensure_ascii=ascii_only).encode()) == value
