"""A large invalid body is refused at its first fault, not after all of them have been collected."""

from __future__ import annotations

import json
import time

import pytest

from rag.errors import InvalidRequest
from rag.http.native.generate_wire import GenerateRequest
from rag.http.v1.completions.body import CompletionBody
from rag.http.validation.json_limits import MAX_MEMBERS
from rag.http.validation.wire_model import WireModel, json_object

MANY = 600_000


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tokens": [""] * MANY}, "tokens.0"),
        ({"tokens": [[]] * MANY}, "tokens.0"),
        ({"prompt": "a", "stop": [1] * MANY}, "stop"),
        ({"prompt": "a", "allowed_token_ids": [""] * MANY}, "allowed_token_ids.0"),
        ({"prompt": "a", "logit_bias": {str(n): "" for n in range(MANY // 4)}}, "logit_bias"),
        ({"prompt": "a", "extra_args": {"a": [{str(n): n for n in range(MANY // 4)}]}}, "extra_args.a.0"),
    ],
)
def test_only_the_first_fault_is_reported(fields: dict[str, object], param: str) -> None:
    body = json.dumps(fields).encode()
    began = time.thread_time()
    json.loads(body)
    parsed_s = time.thread_time() - began
    began = time.thread_time()
    with pytest.raises(InvalidRequest) as caught:
        GenerateRequest.parse(json_object("application/json", body))
    assert caught.value.param == param
    assert time.thread_time() - began < 2 + 60 * parsed_s


def test_an_object_may_have_many_members() -> None:
    body = json.dumps({"logit_bias": {str(n): 1 for n in range(MAX_MEMBERS)}}).encode()
    assert len(json_object("application/json", body)["logit_bias"]) == MAX_MEMBERS


@pytest.mark.parametrize("model", [GenerateRequest, CompletionBody])
def test_all_lists_of_all_bodies_stop_at_their_first_fault(model: type[WireModel | CompletionBody]) -> None:
    lists = [part for part in _parts(model.__pydantic_core_schema__) if part.get("type") == "list"]
    assert lists
    assert all(part.get("fail_fast") for part in lists)


def _parts(schema: object) -> list[dict[str, object]]:
    if isinstance(schema, dict):
        return [schema, *(found for name, part in schema.items() if name != "metadata" for found in _parts(part))]
    return [found for part in schema for found in _parts(part)] if isinstance(schema, list | tuple) else []
