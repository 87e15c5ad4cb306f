"""JSON schemas for llguidance: every complete text is valid, or the schema is refused with keyword and place."""

from __future__ import annotations

import json
from typing import Any, Literal

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from rag.adapters.vllm.structures.json_schemas import FORMATS, SchemaRefused, located, prepared
from rag.adapters.vllm.structures.matcher import GrammarRefused, TextMatcher, refusal_of, schema_grammar
from rag.http.v1.function_calling.functions import FunctionIn
from rag.http.v1.function_calling.tool_use import ToolChoice, tool_use
from rag.retrieve.planning.prompts import passage_form, queries_form, rewriting_form
from rag.types import Message
from tests.support.models.grammar_sampler import sampled


def compiled(schema: Any) -> str:
    """The grammar of a schema, which must be accepted."""
    grammar = schema_grammar(prepared(schema), compact=True)
    TextMatcher(grammar)
    return grammar


def assert_obeyed(schema: Any, texts: int = 30) -> None:
    grammar, found = compiled(schema), 0
    for seed in range(texts):
        if (text := sampled(grammar, seed)) is not None:
            found += 1
            jsonschema.Draft202012Validator(schema).validate(json.loads(text))
            assert TextMatcher(grammar).matches(text.decode()), text
    assert found, "no text was complete"


def refused(schema: Any) -> str:
    def refusal(part: Any) -> str:
        try:
            return refusal_of(schema_grammar(prepared(part), compact=True))
        except (SchemaRefused, ValueError) as error:
            return str(error)

    try:
        prepared(schema)
    except SchemaRefused as error:
        return str(error)
    reason = refusal(schema)
    return located(schema, reason, refusal) if reason else ""


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = Field(multiple_of=3)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str = Field(pattern="^[A-Z][a-z]+$", max_length=9)


class Owner(BaseModel):
    pets: list[Cat | Dog] = Field(max_length=2)
    first: Cat | Dog = Field(discriminator="kind")
    counts: dict[Literal["a", "b"], int] = {}
    more: Owner | None = None


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^a+$", "maxLength": 3},
        {"type": "string", "anyOf": [{"minLength": 2}, {"pattern": "^x"}]},
        {"allOf": [{"type": "string"}, {"enum": ["yes", "no", 3]}]},
        {"$ref": "#/$defs/i", "minimum": 3, "$defs": {"i": {"type": "integer"}}},
        {"minLength": 3},
        {"type": "number", "multipleOf": 0.5},
        {"type": "integer", "exclusiveMinimum": 3},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
        {"allOf": [{"type": "number", "minimum": -0.5}, {"exclusiveMaximum": 0}]},
        {"type": "integer", "minimum": -(2**63)},
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": False},
        {"type": "string", "format": "password", "minLength": 3},
        {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": {"type": "integer"}},
        {"type": "object", "propertyNames": {"pattern": "^x[0-9]$"}},
        {"type": "object", "propertyNames": {"type": "string", "maxLength": 2}},
        {"type": "object", "properties": {"a": True, "b": False}, "required": ["a"], "minProperties": 1},
        {"type": "object", "properties": {"a": {"type": "null"}}, "unevaluatedProperties": False},
        {"type": "array", "prefixItems": [{"type": "null"}], "unevaluatedItems": False},
        {"oneOf": [{"const": 1}, {"const": True}, {"enum": ["x", None]}]},
        Owner.model_json_schema(),
        json.loads('{"type": "object", "properties": {"a": {"oneOf": [{"type": "string"}, {"type": "null"}]}}}'),
        {},
    ],
    ids=str,
)  # fmt: skip
def test_every_text_is_valid(schema: Any) -> None:
    before = json.dumps(schema)
    assert_obeyed(schema)
    assert json.dumps(schema) == before, "the client's schema stays as it is"


@pytest.mark.parametrize("schema", [True, "true", "{}"])
def test_a_schema_may_be_true_or_text(schema: Any) -> None:
    assert prepared(schema) == {}


@pytest.mark.parametrize(
    ("schema", "keyword", "place"),
    [
        ({"not": {}}, "not", "#"),
        ({"type": "object", "properties": {"a/b": {"items": {"if": {}}}}}, "if", "#/properties/a~1b/items"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems", "#"),
        ({"anyOf": [{"type": "null"}, {"type": "array", "contains": {"const": 1}}]}, "contains", "#/anyOf/1"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "string", "pattern": "^(?=.*z)a"}}}, "pattern", "#/$defs/x"),
        ({"type": "object", "dependentRequired": {"a": ["b"]}}, "dependentRequired", "#"),
        ({"items": {"oneOf": [{"type": "number"}, {"type": "integer"}]}}, "oneOf", "#/items"),
        ({"type": "object", "properties": {"a": {}}, "propertyNames": {"pattern": "a"}}, "propertyNames", "#"),
        ({"type": "object", "minProperties": 2, "required": ["a"]}, "minProperties", "#"),
        ({"items": {"$ref": "http://example.com/x"}}, "$ref", "#/items"),
        ({"x-guidance": {"coerce_one_of": True}}, "x-guidance", "#"),
        ({"type": "array", "items": {"type": "array", "maxItems": 10**6}}, "maxItems", "#/items"),
        ({"allOf": [{"multipleOf": 997}, {"multipleOf": 991}]}, "multipleOf", "#/allOf/0"),
        ({"type": "number", "minimum": 1e300}, "minimum", "#"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_enforced_is_refused_with_keyword_and_place(schema: Any, keyword: str, place: str) -> None:
    assert refused(schema).startswith(f"the keyword '{keyword}' at {place} is not supported: ")


@pytest.mark.parametrize("schema", [False, "false", "{not json", "3", [], 5, {"enum": []}, {"type": "nonsense"}])
def test_what_is_no_schema_or_matches_nothing_is_refused(schema: Any) -> None:
    with pytest.raises((ValueError, GrammarRefused)):
        compiled(schema)


def test_a_schema_that_refers_to_itself_alone_matches_nothing() -> None:
    with pytest.raises(GrammarRefused, match="no text can match this"):
        compiled({"$ref": "#"})


def test_more_optional_properties_than_llguidance_can_follow_are_refused_at_once() -> None:
    with pytest.raises(GrammarRefused):
        compiled({"type": "object", "properties": {f"p{i}": {"type": "null"} for i in range(2000)}})


def test_the_list_of_formats_is_that_of_llguidance() -> None:
    others = {"iri", "uri-reference", "uri-template", "idn-email", "idn-hostname", "json-pointer", "regex", "password",
              "relative-json-pointer", "int32", "int64", "float", "double", "byte", "binary"}  # fmt: skip
    known = {
        name
        for name in FORMATS | others
        if not refusal_of(schema_grammar({"type": "string", "format": name}, compact=True))
    }
    assert known == FORMATS


TEXTS = st.sampled_from(["", "a", "ab", "é", 'q"', "\\", "x/y", "1"])
NUMBERS = st.one_of(st.integers(-20, 20), st.sampled_from([0.5, 1.0, -2.25, 2.0]))
VALUES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.just([1]), st.just({"a": None}))
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
PATTERNS = st.sampled_from(["^a", "b$", "^[a-c]{1,3}$", "é|x", "^(?=a)", "^\\d+$", "[^a]"])
SIZES = st.integers(0, 3)
KEYWORDS: dict[str, Any] = {
    "type": st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=3, unique=True)),
    "minLength": SIZES, "maxLength": SIZES, "pattern": PATTERNS,
    "format": st.sampled_from(["date", "time", "uuid", "ipv4", "password"]),
    "minimum": NUMBERS, "maximum": NUMBERS, "exclusiveMinimum": NUMBERS, "exclusiveMaximum": NUMBERS,
    "multipleOf": st.sampled_from([1, 2, 3, 0.5, 0.25]),
    "minItems": SIZES, "maxItems": SIZES, "uniqueItems": st.booleans(),
    "required": st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True),
    "minProperties": SIZES, "maxProperties": SIZES,
    "const": VALUES, "enum": st.lists(VALUES, min_size=1, max_size=3),
    "title": st.just("t"), "default": VALUES,
}  # fmt: skip


def nested(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(schemas, min_size=1, max_size=3)
    named = st.dictionaries(st.sampled_from(["a", "b", "c"]), schemas, max_size=3)
    return some_keywords(
        {
            **KEYWORDS,
            "properties": named,
            "patternProperties": st.dictionaries(PATTERNS, schemas, max_size=1),
            "additionalProperties": schemas,
            "propertyNames": schemas,
            "items": schemas,
            "prefixItems": some,
            "contains": schemas,
            "not": schemas,
            "allOf": some,
            "anyOf": some,
            "oneOf": some,
            "unevaluatedProperties": st.booleans(),
            "$ref": st.sampled_from(["#/$defs/x", "#/$defs/y"]),
        },
    )


@st.composite
def some_keywords(draw: st.DrawFn, keywords: dict[str, Any]) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True))
    return {name: draw(keywords[name]) for name in names}


SCHEMAS = st.recursive(st.one_of(st.booleans(), some_keywords(KEYWORDS)), nested, max_leaves=6)


@given(SCHEMAS, st.fixed_dictionaries({"x": SCHEMAS, "y": SCHEMAS}), st.integers(0, 1000))
def test_every_text_of_a_random_schema_is_valid(schema: Any, definitions: Any, seed: int) -> None:
    whole = {**schema, "$defs": definitions} if isinstance(schema, dict) else schema
    try:
        grammar = compiled(whole)
    except (SchemaRefused, GrammarRefused, ValueError):
        return
    for number in range(4):
        if (text := sampled(grammar, seed + number)) is not None:
            jsonschema.Draft202012Validator(whole).validate(json.loads(text))


@pytest.mark.parametrize(
    "schema",
    [
        rewriting_form("And in Rome?", [Message("user", "Is it warm?")], 9).schema,
        queries_form("Is it warm?", 3).schema,
        passage_form("Is it warm?").schema,
        tool_use(
            {
                "tools.0": FunctionIn(name="add", parameters=Cat.model_json_schema()),
                "tools.1": FunctionIn(name="own", parameters=Owner.model_json_schema()),
                "tools.2": FunctionIn(name="now"),
            },
            ToolChoice("required"),
            parallel=True,
        ).schema,
    ],
    ids=["rewriting", "queries", "passage", "calls"],
)
def test_the_forms_of_this_service(schema: Any) -> None:
    assert_obeyed(schema, texts=10)
