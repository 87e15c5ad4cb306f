"""Structured output of the real engine. A constraint that cannot be compiled is refused before the stream begins."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.e2e.running import RunningService

PROMPT = "A short fact about the city of Paris:"
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "likes": {"type": "array", "items": {"enum": ["tea", "milk"]}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "age", "likes"],
    "additionalProperties": False,
}
ARITHMETIC = """root ::= term (" + " term)?
term ::= [0-9] | "(" root ")"
"""
LARK = """start: answer "."
answer: "yes" | "no" | "perhaps"
"""
OLDER_TAG = {"structures": [{"begin": "<a>", "schema": {"not": {}}, "end": "</a>"}]}
CALL = {
    "type": "structural_tag",
    "format": {
        "type": "tag",
        "begin": "<number>",
        "content": {"type": "json_schema", "json_schema": {"type": "integer", "minimum": 0, "maximum": 99}},
        "end": "</number>",
    },
}


def written(service: RunningService, structure: dict[str, Any], **more: Any) -> str:
    body = {"prompt": PROMPT, "max_tokens": 120, "temperature": 0, "stream": False, "structured_outputs": structure}
    answer = service.post("/generate", {**body, **more}).json()
    assert answer["finish_reason"] == "stop", answer
    text: str = answer["text"]
    return text


def test_a_choice(service: RunningService) -> None:
    assert written(service, {"choice": ["a river", "a tower", 'with "quotes" and ü']}) in ("a river", "a tower")


@pytest.mark.parametrize("regex", [r"\d{4}-\d{2}-\d{2}", r"(Mon|Tues)day, [1-9][0-9]?", r"[A-Z][a-z]{3,7}\."])
def test_a_regular_expression(service: RunningService, regex: str) -> None:
    assert re.fullmatch(regex, written(service, {"regex": regex}))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
def test_json_with_a_schema(service: RunningService, seed: int, as_text: bool) -> None:
    schema: Any = json.dumps(PERSON) if as_text else PERSON
    text = written(service, {"json": schema}, temperature=0.9, seed=seed)
    jsonschema.validate(json.loads(text), PERSON)


def test_any_json_object(service: RunningService) -> None:
    prompt = 'A JSON object with one key: {"a": 1}. Another one:'
    assert isinstance(json.loads(written(service, {"json_object": True}, prompt=prompt, stop=None)), dict)


def test_a_grammar(service: RunningService) -> None:
    assert re.fullmatch(r"[0-9()+ ]+", written(service, {"grammar": ARITHMETIC}))
    assert written(service, {"grammar": LARK}) in ("yes.", "no.", "perhaps.")


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
def test_a_structural_tag(service: RunningService, as_text: bool) -> None:
    tag: Any = json.dumps(CALL) if as_text else CALL
    assert re.fullmatch(r"<number>\d{1,2}</number>", written(service, {"structural_tag": tag}))


def test_streamed_and_plain_are_the_same(service: RunningService) -> None:
    body = {"prompt": PROMPT, "max_tokens": 120, "temperature": 0, "structured_outputs": {"json": PERSON}}
    streamed = service.stream("/generate", body)
    assert streamed.names[-1] == "done"
    assert streamed.text == written(service, {"json": PERSON})


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        ({"regex": "(unclosed"}, None),
        ({"regex": "(?<=a)b"}, None),
        ({"regex": "a\x00"}, "NUL"),
        ({"json": "{not json"}, "not JSON"),
        ({"json": {"type": "no such type"}}, None),
        ({"json": {"type": "object", "properties": 5}}, None),
        ({"json": {"$ref": "#/$defs/nowhere"}}, None),
        ({"json": {"$ref": "http://example.com/schema"}}, None),
        ({"json": {"enum": []}}, None),
        ({"json": {"type": "array", "uniqueItems": True}}, "'uniqueItems' at #"),
        ({"json": {"items": {"pattern": "^(?=.*z)[a-z]{3}$"}}}, "'pattern' at #/items"),
        ({"json": {"$ref": "#"}}, "no text can match this"),
        ({"json": False}, None),
        ({"json": {"type": "object", "not": {"required": ["a"]}}}, "'not'"),
        ({"grammar": "root ::= ("}, None),
        ({"grammar": "root ::= nobody"}, None),
        ({"grammar": "nonsense"}, None),
        ({"grammar": "root ::= root"}, None),
        ({"structural_tag": {"type": "structural_tag", "format": {"type": "nope"}}}, None),
        ({"structural_tag": "{}"}, None),
        ({"structural_tag": {**OLDER_TAG, "triggers": ["<a"]}}, "'not'"),
        ({"choice": []}, None),
        ({}, "exactly one"),
        ({"choice": ["a"], "regex": "a"}, "exactly one"),
    ],
    ids=str,
)
def test_a_constraint_that_cannot_be_compiled_is_a_400_with_the_reason(
    service: RunningService, structure: dict[str, Any], reason: str | None
) -> None:
    """Args:
    reason: Part of the message if this project wrote it; None if vLLM or llguidance did.
    """
    body = {"prompt": PROMPT, "max_tokens": 5, "structured_outputs": structure}
    for stream in (True, False):
        answer = service.post("/generate", {**body, "stream": stream})
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert error["param"].startswith("structured_outputs")
        assert error["message"].removeprefix(error["param"]).strip(": "), "a reason, not only the name"
        if reason is not None:
            assert reason in error["message"]
    assert written(service, {"choice": ["yes"]}) == "yes"


def test_a_schema_that_is_nested_too_deeply(service: RunningService) -> None:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(80):
        schema = {"type": "array", "items": schema}
    answer = service.post("/generate", {"prompt": PROMPT, "structured_outputs": {"json": schema}})
    assert answer.status_code == 400
    assert "nested too deeply" in answer.json()["error"]["message"]
