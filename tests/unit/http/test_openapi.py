"""The published OpenAPI document describes what the code does."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from jsonschema_rs import Draft202012Validator
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route
from starlette.testclient import TestClient

from rag import errors
from rag.chunkers import strategy
from rag.errors import InvalidFilter, InvalidRequest
from rag.http.error_table import STATUS, error_body
from rag.http.fields.attributes_wire import check_attributes
from rag.http.openapi.route import OpenApiRoute, RequestBody
from rag.http.published_api import PATH, PublishedApi
from rag.http.published_document import document, public_operations, published
from rag.http.v1.applications.documents_app import document_routes
from rag.http.v1.applications.edge_app import edge_routes
from rag.retrieve.search.filters import compile_filters

NATIVE = {("post", path) for path in ("/ask", "/retrieve", "/generate", "/ingest")}
PROBES = {("get", path) for path in ("/readyz", "/livez", "/healthz", "/metrics")}


@pytest.fixture(scope="module")
def openapi_document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(published())
    return parsed


def v1_routes() -> list[BaseRoute]:
    no_components: Any = None
    return [*edge_routes(no_components), *document_routes(no_components)]


def routes() -> set[tuple[str, str]]:
    """The methods and paths of both `/v1` applications."""
    operations: set[tuple[str, str]] = set()
    for route in v1_routes():
        assert isinstance(route, Route)
        path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        operations |= {(method.lower(), f"/v1{path}") for method in route.methods or () if method != "HEAD"}
    return operations


def described(openapi_document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method, path) for path, item in openapi_document["paths"].items() for method in item}


def test_the_document_describes_exactly_the_routes(openapi_document: dict[str, Any]) -> None:
    assert described(openapi_document) == routes() | NATIVE | PROBES


def test_every_route_describes_itself() -> None:
    assert all(isinstance(route, OpenApiRoute) for route in v1_routes())


def test_get_routes_answer_head_requests() -> None:
    for route in v1_routes():
        assert isinstance(route, Route)
        assert ("GET" in (route.methods or ())) == ("HEAD" in (route.methods or ()))


def test_operation_ids_are_unique() -> None:
    names = [route.operation.id for route in public_operations()]
    assert len(set(names)) == len(names)


def test_links_name_operations_and_their_parameters() -> None:
    paths = {route.operation.id: route.path_format for route in public_operations()}
    for route in public_operations():
        for name, values in route.operation.links.items():
            assert all(f"{{{parameter}}}" in paths[name] for parameter in values), (route.operation.id, name)


def request_fields(openapi_document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The schemas of all fields of JSON bodies, by `Model.field`."""
    schemas = openapi_document["components"]["schemas"]
    bodies = [
        content["schema"]
        for item in openapi_document["paths"].values()
        for operation in item.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    names, new = set[str](), set(references(bodies))
    while new:
        names |= new
        new = {found for name in new for found in references(schemas[name.rpartition("/")[2]])} - names
    models = {name.rpartition("/")[2] for name in names}
    return {
        f"{model}.{field}": schema for model in models for field, schema in schemas[model].get("properties", {}).items()
    }


def test_fields_that_accept_one_value_or_have_no_effect_say_so(openapi_document: dict[str, Any]) -> None:
    def has_one_value(schema: Any) -> bool:
        if "$ref" in schema:
            schema = openapi_document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
        if len(options) != 1:
            return False
        (only,) = options
        is_single = "const" in only or len(only.get("enum", "ab")) == 1
        return is_single or ("items" in only and has_one_value(only["items"]))

    without_effect = {"detail", "output_schema", "prompt_cache_retention", "service_tier"}
    fields = request_fields(openapi_document)
    restricted = {name for name, schema in fields.items() if has_one_value(schema)}
    assert {"ReasoningOptions.mode", "McpTool.allowed_callers", "ChatBody.add_generation_prompt"} <= restricted
    undescribed = {
        name
        for name, schema in fields.items()
        if (name in restricted or name.rpartition(".")[2] in without_effect) and not schema.get("description")
    }
    assert {name for name in undescribed if name.rpartition(".")[2] not in ("type", "anchor")} == set()


def test_what_the_code_says_of_a_field_is_published() -> None:
    """pydantic does not read texts below fields."""
    found = {model: set(texts_below_fields(model)) for model in body_models()}
    assert {model.__name__: names for model, names in found.items() if names} == {}
    assert {"ResponsesBody", "FunctionTool", "ImageUrl"} <= {model.__name__ for model in found}


def body_models() -> set[type[BaseModel]]:
    """The models of JSON bodies, with those of their fields."""
    found: set[type[BaseModel]] = set()

    def add(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if kind in found or not kind.__module__.startswith("rag."):
                return
            found.add(kind)
            for base in kind.__bases__:
                add(base)
            for field in kind.model_fields.values():
                for part in (field.annotation, *field.metadata):
                    add(part)
        for part in (*get_args(kind), getattr(kind, "json_schema_input_type", None)):
            if part is not None and part is not PydanticUndefined:
                add(part)

    for route in public_operations():
        body = route.operation.body
        add(body.model if isinstance(body, RequestBody) else body)
    return found


def texts_below_fields(model: type[BaseModel]) -> Iterator[str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    for field, text in itertools.pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            name = ast.unparse(field.target)
            if not name.startswith("_"):
                yield name


def test_no_operation_documents_fastapis_validation_error(openapi_document: dict[str, Any]) -> None:
    assert all(
        "422" not in operation["responses"]
        for item in openapi_document["paths"].values()
        for operation in item.values()
    )
    assert not {"HTTPValidationError", "ValidationError"} & set(openapi_document["components"]["schemas"])


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_resolves(openapi_document: dict[str, Any]) -> None:
    for reference in set(references(openapi_document)):
        node: Any = openapi_document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert isinstance(node, dict), reference


def test_every_error_status_lists_all_its_codes(openapi_document: dict[str, Any]) -> None:
    responses = openapi_document["components"]["responses"]
    for error in errors.all_errors():
        if error in (errors.SetupError, errors.Unavailable, errors.MethodNotAllowed, errors.RequestTimeout):
            continue  # raised only at startup; abstract; raised for no operation; raised while a client is stalled
        if error is errors.Forbidden and "Error403" not in responses:
            continue
        assert f"`{error.code}`" in responses[f"Error{STATUS[error]}"]["description"]


def test_errors_match_their_schema(openapi_document: dict[str, Any]) -> None:
    body = error_body(errors.Conflict("twice", param="name"), "abc")
    validator(openapi_document, "Error").validate(body)
    del body["error"]["request_id"]
    assert not validator(openapi_document, "Error").is_valid(body)


def validator(openapi_document: dict[str, Any], name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": openapi_document["components"]})


FILTERS: list[Any] = [
    {"type": "eq", "key": "topic", "value": "guide"},
    {"type": "gte", "key": "year", "value": 2020.5},
    {"type": "in", "key": "lang", "value": ["en", 1, True]},
    {"type": "and", "filters": [{"type": "ne", "key": "a", "value": False}]},
    {"type": "or", "filters": [{"type": "and", "filters": [{"type": "lt", "key": "a", "value": 1}]}]},
    {"type": "gt", "key": "year", "value": True},
    {"type": "eq", "key": "not safe", "value": 1},
    {"type": "eq", "key": "a", "value": None},
    {"type": "eq", "key": "a", "value": "x" * 4097},
    {"type": "eq", "key": "a"},
    {"type": "in", "key": "a", "value": []},
    {"type": "in", "key": "a", "value": [1] * 257},
    {"type": "and", "filters": []},
    {"type": "like", "key": "a", "value": "x"},
    {"type": "eq", "key": "a", "value": 1, "more": 1},
    {},
]


@pytest.mark.parametrize("filters", FILTERS, ids=range(len(FILTERS)))
def test_the_schema_of_filters_agrees_with_the_code(openapi_document: dict[str, Any], filters: Any) -> None:
    assert validator(openapi_document, "Filter").is_valid(filters) == is_accepted(lambda: compile_filters(filters))


STRATEGIES: list[Any] = [
    {"type": "auto"},
    {"type": "static", "static": {"max_chunk_size_tokens": 4096, "chunk_overlap_tokens": 2048}},
    {"type": "recursive"},
    {"type": "recursive", "recursive": {"max_chars": 64}, "questions": 8},
    {"type": "sentences", "sentences": {"max_chars": 16383, "overlap_sentences": 10}},
    {"type": "structure", "structure": {"max_chars": 16383}, "questions": None},
    {"type": "parent_child", "parent_child": {"parent_chars": 128, "child_chars": 64}},
    {"type": "auto", "auto": {}},
    {"type": "static", "static": {"max_chunk_size_tokens": 4097}},
    {"type": "static", "static": {"max_chunk_size_tokens": 99}},
    {"type": "recursive", "recursive": {"max_chars": 63}},
    {"type": "recursive", "recursive": {"max_chars": 16384}},
    {"type": "sentences", "sentences": {"overlap_sentences": 11}},
    {"type": "structure", "recursive": {}},
    {"type": "parent_child", "parent_child": {"parent_chars": 127}},
    {"type": "recursive", "questions": 9},
    {"type": "magic"},
]


@pytest.mark.parametrize("chunking", STRATEGIES, ids=range(len(STRATEGIES)))
def test_the_schema_of_chunking_agrees_with_the_code(openapi_document: dict[str, Any], chunking: Any) -> None:
    parsed = is_accepted(lambda: strategy.parse(chunking, strategy.RecursiveStrategy()))
    assert validator(openapi_document, "ChunkingStrategyParam").is_valid(chunking) == parsed


ATTRIBUTES: list[Any] = [
    {},
    {"a": "x" * 512, "k" * 64: 1.5, "b": True},
    {str(number): number for number in range(16)},
    {str(number): number for number in range(17)},
    {"a": "x" * 513},
    {"k" * 65: 1},
    {"": 1},
    {"a": None},
    {"a": [1]},
]


@pytest.mark.parametrize("attributes", ATTRIBUTES, ids=range(len(ATTRIBUTES)))
def test_the_schema_of_attributes_agrees_with_the_code(openapi_document: dict[str, Any], attributes: Any) -> None:
    assert validator(openapi_document, "DocumentAttributes").is_valid(attributes) == is_accepted(
        lambda: check_attributes(attributes)
    )


def is_accepted(call: Any) -> bool:
    try:
        call()
    except (InvalidRequest, InvalidFilter):
        return False
    return True


def test_body_examples_match_their_schemas(openapi_document: dict[str, Any]) -> None:
    """Swagger UI fills them in, so they must work as they are."""
    schemas, example_count = openapi_document["components"]["schemas"], 0
    for name, schema in schemas.items():
        if "example" in schema:
            validator(openapi_document, name).validate(schema["example"])
            example_count += 1
    assert example_count >= 9


def test_mutually_exclusive_fields_are_documented(openapi_document: dict[str, Any]) -> None:
    one = validator(openapi_document, "GenerateRequest")
    assert one.is_valid({"prompt": "x"})
    assert one.is_valid({"prompt": "x", "tokens": None})
    assert not one.is_valid({"prompt": "x", "tokens": [1]})
    assert not one.is_valid({"max_tokens": 1})


def test_the_document_is_deterministic(openapi_document: dict[str, Any]) -> None:
    second = document()
    assert second == openapi_document


def test_the_document_is_served_instead_of_bentomls() -> None:
    async def bentomls_route(request: Request) -> PlainTextResponse:
        return PlainTextResponse("BentoML's")

    inner = Starlette(routes=[Route(PATH, bentomls_route), Route("/other", bentomls_route)])
    client = TestClient(PublishedApi(inner))
    assert client.get(PATH).json()["openapi"] == "3.1.0"
    assert client.get(PATH).headers["content-type"] == "application/json"
    assert (client.head(PATH).status_code, client.head(PATH).content) == (200, b"")
    assert client.get("/other").text == "BentoML's"
    assert client.post(PATH).status_code == 405


def test_responses_admit_null_only_where_it_is_sent(openapi_document: dict[str, Any]) -> None:
    schemas = openapi_document["components"]["schemas"]
    null = {"type": "null"}
    assert schemas["File"]["properties"]["expires_at"]["type"] == "integer"
    assert null not in schemas["CompletionUsage"]["properties"]["prompt_tokens_details"].get("anyOf", ())
    message = schemas["ChatCompletionMessage"]
    assert null in message["properties"]["refusal"]["anyOf"]
    assert {"content", "refusal"} <= set(message["required"])
    assert "anyOf" in schemas["ChatBody"]["properties"]["seed"], "null in a request is a field that is left out"
