"""Every body is either a valid request or an `InvalidRequest` that names the field."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from rag.errors import EmptyQuestion, FileTooLarge, InvalidFilter, InvalidRequest, RagError, UnsupportedFile
from rag.http.bodies.wire import EncodeRequest, PrepareRequest, RetrieveRequest, messages_of
from rag.http.native.ask_wire import AskRequest
from rag.http.native.generate_wire import GenerateRequest
from rag.http.native.ingest_form import IngestOrder, IngestRequest, received_ingest
from rag.http.validation.wire_model import WireModel
from rag.types import Message as Turn

JSON_MODELS: list[type[WireModel]] = [AskRequest, RetrieveRequest, GenerateRequest, EncodeRequest]
VALID: dict[type[WireModel], dict[str, Any]] = {
    AskRequest: {"question": "Why?"},
    RetrieveRequest: {"query": "why"},
    GenerateRequest: {"prompt": "Once"},
    EncodeRequest: {"texts": ["one"]},
}


def request_of(
    body: bytes, content_type: str | None = "application/json", others: Mapping[str, str] | None = None
) -> Request:
    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    headers += [(name.encode(), value.encode()) for name, value in (others or {}).items()]
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


async def sent(model: type[WireModel], body: object, content_type: str | None = "application/json") -> WireModel:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await model.from_http_request(request_of(raw, content_type), None)


async def refusal(
    model: type[WireModel], body: object, content_type: str | None = "application/json"
) -> InvalidRequest:
    refused = (await sent(model, body, content_type)).refused
    assert isinstance(refused, InvalidRequest)
    return refused


async def test_valid_bodies_are_accepted() -> None:
    for model, body in VALID.items():
        assert (await sent(model, body)).refused is None
        assert (await sent(model, body, None)).refused is None
        assert (await sent(model, body, "Application/JSON; charset=utf-8")).refused is None


@pytest.mark.parametrize("model", JSON_MODELS)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"), (b"  \n", "empty"), (b"null", "null"), (b'"text"', "a string"), (b"[1]", "an array"),
        (b"3", "a number"), (b"true", "boolean"), (b"{", "not valid JSON"), (b"\xff\xfe", "not valid JSON"),
        (b'{"a":' * 100_000, "not valid JSON"), (b"[" * 100_000, "not valid JSON"), (b"9" * 5000, "not valid JSON"),
    ],
    ids=lambda value: value[:8].decode("latin-1") if isinstance(value, bytes) else value,
)  # fmt: skip
async def test_a_body_that_is_not_an_object_is_refused(model: type[WireModel], body: bytes, message: str) -> None:
    """docs/bentoml_issues.md#b7: BentoML would answer some of these with 500."""
    assert message in (await refusal(model, body)).message


@pytest.mark.parametrize("model", JSON_MODELS)
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_another_content_type_is_refused(model: type[WireModel], content_type: str) -> None:
    assert (await refusal(model, VALID[model], content_type)).param == "content-type"


@pytest.mark.parametrize("model", JSON_MODELS)
async def test_an_unknown_field_is_refused(model: type[WireModel]) -> None:
    """docs/bentoml_issues.md#b18: BentoML's loose parameters ignore it."""
    refused = await refusal(model, VALID[model] | {"topk": 3})
    assert (refused.param, refused.message) == ("topk", "topk: is not a field of this request")


def test_a_null_of_an_optional_field_means_that_it_is_left_out() -> None:
    request = AskRequest.parse({"question": "Why?", "vector_store": None, "history": None, "stream": None})
    assert request == AskRequest.parse({"question": "Why?", "stream": True})


@pytest.mark.parametrize("model", [AskRequest, RetrieveRequest, EncodeRequest])
async def test_a_missing_field_is_named(model: type[WireModel]) -> None:
    (name,) = VALID[model]
    refused = await refusal(model, {})
    assert (refused.param, refused.message) == (name, f"{name}: is required")


WRONG: list[tuple[type[WireModel], str, object]] = [
    (AskRequest, "question", 3),
    (AskRequest, "question", None),
    (AskRequest, "question", "x" * 100_001),
    (AskRequest, "vector_store", ["default"]),
    (AskRequest, "stream", 0),
    (AskRequest, "colour", None),
    (AskRequest, "top_k", True),
    (AskRequest, "top_k", 0),
    (AskRequest, "top_k", 101),
    (AskRequest, "top_k", "3"),
    (AskRequest, "top_k", 2.5),
    (AskRequest, "max_tokens", 0),
    (AskRequest, "max_tokens", 10**400),
    (AskRequest, "temperature", 2.1),
    (AskRequest, "temperature", -1),
    (AskRequest, "temperature", float("nan")),
    (AskRequest, "temperature", True),
    (AskRequest, "top_p", 0),
    (AskRequest, "stop", "word"),
    (AskRequest, "stop", ["x"] * 17),
    (AskRequest, "stop", [""]),
    (AskRequest, "seed", 2**63),
    (AskRequest, "filters", "a = 1"),
    (AskRequest, "response_format", "json"),
    (AskRequest, "citations", "always"),
    (AskRequest, "citations", True),
    (AskRequest, "model", ""),
    (AskRequest, "structured_outputs", "yes"),
    (AskRequest, "structured_outputs", {"choice": []}),
    (AskRequest, "history", {"role": "user"}),
    (AskRequest, "history", [{"role": "system", "content": "x"}]),
    (AskRequest, "history", [{"role": "user"}]),
    (AskRequest, "history", [{"role": "user", "content": "x", "name": "y"}]),
    (RetrieveRequest, "mode", "fuzzy"),
    (RetrieveRequest, "retrieval", "rerank"),
    (RetrieveRequest, "rerank", 1),
    (RetrieveRequest, "explain", "true"),
    (RetrieveRequest, "top_k", -1),
    (GenerateRequest, "tokens", [1, True]),
    (GenerateRequest, "tokens", [-1]),
    (GenerateRequest, "tokens", []),
    (GenerateRequest, "stream", 0),
    (GenerateRequest, "temperature", float("inf")),
    (GenerateRequest, "top_k", -2),
    (GenerateRequest, "presence_penalty", 2.5),
    (GenerateRequest, "repetition_penalty", 0),
    (GenerateRequest, "logit_bias", {"1": float("nan")}),
    (GenerateRequest, "logit_bias", {"1": "much"}),
    (GenerateRequest, "stop", 5),
    (GenerateRequest, "structured_outputs", {"schema": {}}),
    (GenerateRequest, "structured_outputs", {"choice": []}),
    (EncodeRequest, "texts", "one"),
    (EncodeRequest, "texts", []),
    (EncodeRequest, "texts", ["a", 1]),
    (EncodeRequest, "kind", "document"),
    (EncodeRequest, "encoding_format", "int8"),
]


@pytest.mark.parametrize(
    ("model", "name", "value"), WRONG, ids=lambda value: str(getattr(value, "__name__", value))[:24]
)
async def test_a_refusal_of_an_invalid_value_names_the_field(model: type[WireModel], name: str, value: object) -> None:
    refused = await refusal(model, VALID[model] | {name: value})
    assert (refused.param or "").split(".")[0] == name
    assert refused.message.startswith(name)


async def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    assert "secret" not in (await refusal(AskRequest, {"question": "q", "temperature": "secret"})).message


async def test_a_lone_surrogate_is_refused() -> None:
    assert (await refusal(AskRequest, b'{"question": "\\ud800"}')).param == "question"
    assert "Unicode" in (await refusal(AskRequest, b'{"question": "a", "\\ud800": 1}')).message


async def test_an_integer_temperature_is_accepted() -> None:
    request = await sent(AskRequest, {"question": "a", "temperature": 1, "top_p": 1})
    assert request.refused is None


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("model", JSON_MODELS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
async def test_arbitrary_json_gives_a_request_or_a_refusal(model: type[WireModel], data: st.DataObject) -> None:
    names = st.sampled_from([*model.model_fields, "other"])
    body = data.draw(
        Json | st.dictionaries(names, Json, max_size=4) | st.dictionaries(names, Json).map(VALID[model].__or__)
    )
    request = await sent(model, body)
    if request.refused is None:
        assert model.parse(request.model_dump(by_alias=True, exclude_unset=True)) is not None
    else:
        assert type(request.refused) in (InvalidRequest, InvalidFilter)


@settings(max_examples=40, deadline=None)
@given(body=st.binary(max_size=40))
async def test_arbitrary_bytes_give_a_request_or_a_refusal(body: bytes) -> None:
    assert isinstance(await sent(AskRequest, body), AskRequest)


# What requests mean


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_a_blank_question_has_its_own_error_code(blank: str) -> None:
    with pytest.raises(EmptyQuestion, match="question"):
        AskRequest.parse({"question": blank}).checked_question()
    with pytest.raises(EmptyQuestion, match="query"):
        RetrieveRequest.parse({"query": blank}).checked_query()


def test_a_question_is_not_normalized() -> None:
    assert AskRequest.parse({"question": " Why? "}).checked_question() == " Why? "


@pytest.mark.parametrize(
    ("chosen", "field"),
    [
        ({"weihgts": {}}, "retrieval.weihgts"),
        ({"weights": {"dense": -1}}, "retrieval.weights.dense"),
        ({"weights": {"My path": 1}}, "retrieval.weights"),
        ({"weights": {f"p{n}": 1 for n in range(17)}}, "retrieval.weights"),
        ({"fusion": "sum"}, "retrieval.fusion"),
        ({"candidates": 1001}, "retrieval.candidates"),
        ({"rerank_weight": 1.5}, "retrieval.rerank_weight"),
        ({"queries": 6}, "retrieval.queries"),
        ({"duplicates": float("nan")}, "retrieval.duplicates"),
    ],
)
def test_retrieval_settings_are_validated_strictly(chosen: dict[str, Any], field: str) -> None:
    for model in (AskRequest, RetrieveRequest):
        with pytest.raises(InvalidRequest) as refused:
            model.parse({**VALID[model], "retrieval": chosen})
        assert (refused.value.param or "").startswith(field)


def test_top_level_fields_override_the_retrieval_settings() -> None:
    body = {"query": "a", "top_k": 2, "rerank": False, "retrieval": {"top_k": 9, "rerank": True, "rrf_k": 7}}
    assert RetrieveRequest.parse(body).overrides() == {"top_k": 2, "rerank": False, "rrf_k": 7}
    assert RetrieveRequest.parse({"query": "a"}).overrides() == {}


def test_sampling_contains_only_the_fields_that_were_sent() -> None:
    chosen = {"max_tokens": 5, "temperature": 0.0, "top_p": 0.9, "stop": ["\n"], "seed": 0}
    assert AskRequest.parse({"question": "a"}).sampling() == {}
    assert AskRequest.parse({"question": "a", "top_k": 3, **chosen}).sampling() == chosen


@pytest.mark.parametrize(
    ("response_format", "structured"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"json_object": True}),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
            {"json": {"type": "object"}},
        ),
    ],
)
def test_response_format_becomes_structured_outputs(response_format: dict[str, Any], structured: object) -> None:
    sampling = AskRequest.parse({"question": "a", "response_format": response_format}).sampling()
    assert sampling.get("structured_outputs") == structured


@pytest.mark.parametrize(
    "response_format",
    [
        {}, {"type": "xml"}, {"type": ["text"]}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": "x"},
        {"type": "json_schema", "json_schema": [1]}, {"type": "json_schema", "json_schema": {"schema": "x"}},
    ],
    ids=str,
)  # fmt: skip
def test_an_invalid_response_format_is_refused(response_format: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="response_format"):
        AskRequest.parse({"question": "a", "response_format": response_format}).sampling()


def test_generate_accepts_a_prompt_or_token_ids() -> None:
    assert GenerateRequest.parse({"prompt": "a"}).checked_prompt() == "a"
    assert GenerateRequest.parse({"tokens": [1, 2]}).checked_prompt() == [1, 2]


@pytest.mark.parametrize("body", [{}, {"prompt": ""}, {"prompt": "a", "tokens": [1]}, {"prompt": None}])
def test_generate_requires_exactly_one_kind_of_prompt(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="prompt"):
        GenerateRequest.parse(body).checked_prompt()


def test_sampling_of_generate_has_vllms_names_and_survives_a_round_trip() -> None:
    body = {
        "prompt": "a", "stream": False, "max_tokens": 3, "stop": "x", "logit_bias": {"5": -1.5}, "seed": None,
        "structured_outputs": {"json": {"type": "object"}},
    }  # fmt: skip
    sampling = GenerateRequest.parse(body).sampling()
    assert sampling == {
        "max_tokens": 3, "stop": "x", "logit_bias": {"5": -1.5}, "structured_outputs": {"json": {"type": "object"}},
    }  # fmt: skip
    assert GenerateRequest.parse({"tokens": [1], **sampling}).sampling() == sampling


def test_the_turns_of_a_prepare_request_become_messages() -> None:
    body = {"question": "a", "context_tokens": 9, "max_tokens": 1, "history": [{"role": "user", "content": "b"}]}
    assert messages_of(PrepareRequest.parse(body).history) == (Turn("user", "b"),)


@pytest.mark.parametrize("model", [*JSON_MODELS, IngestRequest])
def test_every_field_of_the_public_models_is_in_the_schema(model: type[WireModel]) -> None:
    schema = model.model_json_schema()
    assert set(schema["properties"]) == set(model.model_fields)
    assert "root_input" not in schema


# POST /ingest

Parts = list[tuple[str, tuple[str | None, bytes]]]


def multipart(parts: Parts) -> tuple[bytes, str]:
    """The bytes that httpx sends."""
    request = httpx.Request("POST", "http://test/", files=parts)
    return request.read(), request.headers["content-type"]


@contextlib.asynccontextmanager
async def ingested(folder: Path, parts: Parts, **headers: str) -> AsyncIterator[IngestOrder]:
    request = await IngestRequest.from_http_request(request_of(*multipart(parts), headers), None)
    assert request.refused is None
    async with received_ingest(request.http, folder, 1000) as order:
        yield order


async def ingest_refusal(folder: Path, parts: Parts, **headers: str) -> RagError:
    with pytest.raises(RagError) as caught:
        async with ingested(folder, parts, **headers):
            pass
    assert not folder.exists() or list(folder.iterdir()) == []
    return caught.value


FILE: Parts = [("files", ("a.md", b"# A"))]


def field(name: str, value: str) -> Parts:
    return [(name, (None, value.encode()))]


async def test_files_and_fields_are_accepted_in_any_order(tmp_path: Path) -> None:
    parts: Parts = [
        ("files", ("reference/a.md", "# Ä".encode())), *field("attributes", '{"year": 2024, "ok": true, "t": "x"}'),
        ("files", ("b.txt", b"b")), *field("vector_store", "notes"), *field("wait_s", "2"),
        *field("chunking_strategy", '{"type": "recursive", "recursive": {"max_chars": 100}}'),
    ]  # fmt: skip
    async with ingested(tmp_path, parts, **{"idempotency-key": "once"}) as order:
        assert [(u.filename, u.path.read_bytes()) for u in order.uploads] == [
            ("reference/a.md", "# Ä".encode()),
            ("b.txt", b"b"),
        ]
        assert (order.vector_store, order.attributes) == ("notes", {"year": 2024, "ok": True, "t": "x"})
        assert (order.wait_s, order.idempotency_key) == (2, "once")
        assert order.chunking == {"type": "recursive", "recursive": {"max_chars": 100, "overlap_chars": 10}}


@pytest.mark.parametrize(("raw", "name"), [("notes", "notes"), ('"notes"', "notes"), ("123", "123"), ("null", "null")])
async def test_the_vector_store_field_may_be_plain_text(tmp_path: Path, raw: str, name: str) -> None:
    async with ingested(tmp_path, [*FILE, *field("vector_store", raw)]) as order:
        assert order.vector_store == name


async def test_empty_fields_get_their_defaults(tmp_path: Path) -> None:
    names = ("vector_store", "attributes", "wait_s", "chunking_strategy")
    async with ingested(tmp_path, [*FILE, *(part for name in names for part in field(name, ""))]) as order:
        assert order == IngestOrder(order.uploads)


INVALID_FORMS: list[tuple[str, Parts]] = [
    ("files", field("vector_store", "a")),
    ("files", field("files", "text, not a file")),
    ("files", [*FILE, *field("files", "text, not a file")]),
    ("file", [("file", ("a.md", b"x"))]),
    ("a.md", FILE * 2),
    ("attributes", [*FILE, *field("attributes", "{")]),
    ("attributes", [*FILE, *field("attributes", "[]")]),
    ("attributes", [*FILE, *field("attributes", '{"a": null}')]),
    ("attributes", [*FILE, *field("attributes", '{"a": [1]}')]),
    ("attributes", [*FILE, *field("attributes", '{"a": NaN}')]),
    ("attributes", [*FILE, *field("attributes", '{"a": 1e999}')]),
    ("attributes", [*FILE, *field("attributes", '{"a": 9223372036854775808}')]),
    ("attributes", [*FILE, *field("attributes", '{"a": 1%s}' % ("0" * 400))]),
    ("attributes", [*FILE, *field("attributes", '{"": 1}')]),
    ("attributes", [*FILE, *field("attributes", json.dumps({"k" * 65: 1}))]),
    ("attributes", [*FILE, *field("attributes", json.dumps({"k": "v" * 513}))]),
    ("attributes", [*FILE, *field("attributes", json.dumps({str(i): i for i in range(17)}))]),
    ("attributes", [*FILE, *field("attributes", "[" * 60_000)]),
    ("attributes", [*FILE, *field("attributes", "[" * 100_000)]),
    ("attributes", [*FILE, *field("attributes", "{}"), *field("attributes", "{}")]),
    ("wait_s", [*FILE, *field("wait_s", "soon")]),
    ("wait_s", [*FILE, *field("wait_s", "-1")]),
    ("wait_s", [*FILE, *field("wait_s", "3601")]),
    ("wait_s", [*FILE, *field("wait_s", "true")]),
    ("wait_s", [*FILE, *field("wait_s", "NaN")]),
    ("vector_store", [*FILE, *field("vector_store", "x" * 65)]),
    ("vector_store", [*FILE, *field("vector_store", "a\0b")]),
    ("vector_store", [*FILE, ("vector_store", ("name.txt", b"default"))]),
    ("chunking_strategy", [*FILE, *field("chunking_strategy", "auto")]),
    ("chunking_strategy", [*FILE, *field("chunking_strategy", '"auto"')]),
    ("chunking_strategy.type", [*FILE, *field("chunking_strategy", '{"type": "magic"}')]),
]


@pytest.mark.parametrize(
    ("param", "parts"), INVALID_FORMS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(INVALID_FORMS)]
)
async def test_a_refusal_of_an_invalid_form_names_the_field(tmp_path: Path, param: str, parts: Parts) -> None:
    refused = await ingest_refusal(tmp_path, parts)
    assert (type(refused), refused.param) == (InvalidRequest, param)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é"])
async def test_an_invalid_idempotency_key_is_refused(tmp_path: Path, key: str) -> None:
    assert (await ingest_refusal(tmp_path, FILE, **{"idempotency-key": key})).param == "Idempotency-Key"


async def test_more_than_a_thousand_files_are_refused(tmp_path: Path) -> None:
    parts: Parts = [("files", (f"{number}.md", b"x")) for number in range(1001)]
    refused = await ingest_refusal(tmp_path, parts)
    assert isinstance(refused, InvalidRequest)
    assert "1000" in refused.message


async def test_one_unsupported_file_refuses_the_whole_upload(tmp_path: Path) -> None:
    refused = await ingest_refusal(tmp_path, [*FILE, ("files", ("b.md", b"GIF89a, a picture"))])
    assert (type(refused), refused.param) == (UnsupportedFile, "b.md")


async def test_a_refusal_of_an_oversized_file_names_the_file(tmp_path: Path) -> None:
    refused = await ingest_refusal(tmp_path, [*FILE, ("files", ("big.md", b"x" * 1001))])
    assert (type(refused), refused.param) == (FileTooLarge, "big.md")


@settings(max_examples=20, deadline=None)
@given(value=st.text(max_size=20))
async def test_an_arbitrary_field_gives_a_request_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    for name in ("vector_store", "attributes", "wait_s", "chunking_strategy"):
        refused: InvalidRequest | None = None
        try:
            async with ingested(tmp_path_factory.mktemp("in"), [*FILE, *field(name, value)]):
                pass
        except InvalidRequest as error:
            refused = error
        assert refused is None or (refused.param or "").split(".")[0] == name


def test_bentoml_can_describe_every_request_model() -> None:
    """`bentoml build` does; it failed on JSON Schema keywords its `Schema` lacks (docs/bentoml_issues.md#b24)."""
    from rag.http.native.ingest_form import IngestRequest

    assert "propertyNames" in json.dumps(IngestRequest.model_json_schema())
    assert "DocumentAttributes" in IngestRequest.openapi_components("ingest")
