"""`/v1/embeddings`, through OpenAI's client, LangChain's, and without them."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import numpy as np
import pytest
from openai.types import CreateEmbeddingResponse

from rag.errors import DependencyUnavailable
from rag.http.v1.documents.parts import EmbeddingOptions
from tests.fakes import FakeEmbedder
from tests.support.v1.v1_client import V1, error_of

MODEL = "fake-embedder"
TEXTS = ["zebras eat grass", "databases hold rows"]


async def post(app: V1, **body: Any) -> httpx.Response:
    async with app.http() as http:
        return await http.post("/embeddings", content=json.dumps({"model": MODEL, **body}))


@pytest.mark.parametrize("encoding_format", ["float", "base64", None])
async def test_openais_client_gets_embeddings(shared_app: V1, encoding_format: Any) -> None:
    options = {} if encoding_format is None else {"encoding_format": encoding_format}
    async with shared_app.openai() as client:
        response = await client.embeddings.create(model=MODEL, input=TEXTS, user="me", **options)
    assert (response.object, response.model) == ("list", MODEL)
    assert [(one.object, one.index) for one in response.data] == [("embedding", 0), ("embedding", 1)]
    assert (response.usage.prompt_tokens, response.usage.total_tokens) == (6, 6)
    inputs: list[Any] = [one.embedding for one in response.data]
    is_base64 = encoding_format == "base64"
    vectors = np.array([np.frombuffer(base64.b64decode(one), "<f4") if is_base64 else one for one in inputs])
    np.testing.assert_allclose(vectors, FakeEmbedder().vectors(TEXTS), atol=1e-6)


async def test_a_response_matches_openais_types(shared_app: V1) -> None:
    response = await post(shared_app, input=["a"])
    assert CreateEmbeddingResponse.model_validate(response.json(), strict=True).to_dict() == response.json()


WITH_IDS = EmbeddingOptions(token_ids=True)
REFUSING = EmbeddingOptions("refuse", token_ids=True)


@pytest.mark.parametrize(
    ("inputs", "equivalent_texts"),
    [
        ("zebras eat grass", ["zebras eat grass"]),
        (FakeEmbedder().ids_of("zebras eat grass"), ["zebras eat grass"]),
        ([FakeEmbedder().ids_of(text) for text in TEXTS], TEXTS),
    ],
    ids=["text", "tokens", "lists of tokens"],
)
async def test_every_form_of_input_is_accepted(app: V1, inputs: Any, equivalent_texts: list[str]) -> None:
    app.embedding = WITH_IDS
    response, expected = await post(app, input=inputs), await post(app, input=equivalent_texts)
    assert response.json() == expected.json()
    assert len(response.json()["data"]) == len(equivalent_texts)


@pytest.mark.parametrize("inputs", [[1, 2], [[1], [2]]], ids=["tokens", "lists of tokens"])
async def test_token_ids_are_refused_by_default(app: V1, inputs: Any) -> None:
    response = await post(app, input=inputs)
    assert error_of(response) == (400, "invalid_request", "input")
    assert "check_embedding_ctx_length=False" in response.json()["error"]["message"]
    assert app.embedder.calls == []


@pytest.mark.parametrize("name", ["encoding_format", "input_type", "dimensions", "user", "truncate"])
async def test_null_means_left_out(shared_app: V1, name: str) -> None:
    assert (await post(shared_app, input="a", **{name: None})).json() == (await post(shared_app, input="a")).json()


async def test_texts_are_encoded_as_passages_by_default(app: V1) -> None:
    await post(app, input="a")
    await post(app, input="a", input_type="query")
    await post(app, input="a", input_type="passage", dimensions=app.embedder.dimensions)
    assert [kind for _, kind in app.embedder.calls] == ["passage", "query", "passage"]


@pytest.mark.parametrize("encoding_format", ["float", "base64"])
async def test_shortened_vectors_are_normalized_prefixes(shared_app: V1, encoding_format: str) -> None:
    response = await post(shared_app, input=TEXTS, dimensions=48, encoding_format=encoding_format)
    inputs = [one["embedding"] for one in response.json()["data"]]
    is_base64 = encoding_format == "base64"
    vectors = np.array([np.frombuffer(base64.b64decode(one), "<f4") if is_base64 else one for one in inputs])
    truncated = FakeEmbedder().vectors(TEXTS)[:, :48]
    np.testing.assert_allclose(vectors, truncated / np.linalg.norm(truncated, axis=1, keepdims=True), atol=1e-6)


async def test_a_zero_prefix_does_not_become_nan(shared_app: V1) -> None:
    (first,) = FakeEmbedder().ids_of("zebras")
    response = await post(shared_app, input="zebras", dimensions=first)
    assert response.json()["data"][0]["embedding"] == [0.0] * first


INVALID: list[tuple[str, Any]] = [
    ("input", {"input": []}), ("input", {"input": ""}), ("input", {"input": None}), ("input", {"input": {"a": 1}}),
    ("input", {"input": True}), ("input", {"input": 3}), ("input.1", {"input": ["a", ""]}),
    ("input.1", {"input": ["a", 1]}), ("input.0", {"input": [1, "a"]}), ("input.0", {"input": [True]}),
    ("input.0", {"input": [[]]}), ("input.1", {"input": [[1], ["a"]]}), ("input.0", {"input": [[1.5]]}),
    ("input.0", {"input": [-1]}), ("input.0", {"input": [[10**30]]}), ("input", {"input": [10**8]}),
    ("input.1", {"input": ["a", "\udfff"]}), ("input", {"input": ["x"] * 2049}), ("input.0", {"input": [{"text": 1}]}),
    ("input", {"input": "\ud800"}),
    ("dimensions", {"input": "a", "dimensions": 65}), ("dimensions", {"input": "a", "dimensions": 0}),
    ("dimensions", {"input": "a", "dimensions": "64"}), ("encoding_format", {"input": "a", "encoding_format": "hex"}),
    ("input_type", {"input": "a", "input_type": "document"}), ("user", {"input": "a", "user": 1}),
    ("model", {"input": "a", "model": 1}), ("truncate", {"input": "a", "truncate": "START"}),
    ("truncate_prompt_tokens", {"input": "a", "truncate_prompt_tokens": -2}),
    ("truncate_prompt_tokens", {"input": "a", "truncate_prompt_tokens": 1, "truncate": False}),
    ("tuncate", {"input": "a", "tuncate": None}),
    ("input", {"user": "me"}),
]  # fmt: skip


@pytest.mark.parametrize(("param", "body"), INVALID, ids=lambda value: str(value)[:40])
async def test_a_refusal_of_an_invalid_body_names_the_field(shared_app: V1, param: str, body: Any) -> None:
    assert error_of(await post(shared_app, **body)) == (400, "invalid_request", param)


@pytest.mark.parametrize("model", ["text-embedding-3-small", "ada"])
async def test_an_alias_stands_for_the_encoder(app: V1, model: str) -> None:
    app.aliases = {"ada": MODEL, "text-embedding-*": MODEL, "*": "rag"}
    assert (await post(app, input="a", model=model)).json()["model"] == MODEL
    assert error_of(await post(app, input="a", model="other")) == (404, "model_not_found", "model")


@pytest.mark.parametrize("model", ["default", "rag", "", "text-embedding-3-small"])
async def test_an_unknown_model_is_not_found(shared_app: V1, model: str) -> None:
    response = await post(shared_app, input="a", model=model)
    assert error_of(response) == (404, "model_not_found", "model")
    assert MODEL in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("inputs", "name"),
    [("x " * 9, "input"), (["x", "x " * 9], "input.1"), ([1] * 9, "input"), ([[1], [1], [1] * 9], "input.2")],
    ids=["text", "texts", "tokens", "lists of tokens"],
)
async def test_an_input_longer_than_the_model_allows_can_be_refused(app: V1, inputs: Any, name: str) -> None:
    app.embedder, app.embedding = FakeEmbedder(max_tokens=8), REFUSING
    response = await post(app, input=inputs)
    assert error_of(response) == (400, "context_length_exceeded", name)
    assert "9 tokens" in response.json()["error"]["message"]
    assert app.embedder.calls == []


LONG = "a b c d e f g h i j"


async def vectors_of(app: V1, **body: Any) -> tuple[Any, int]:
    """The vectors and the tokens used."""
    answer = (await post(app, **body)).json()
    return np.array([one["embedding"] for one in answer["data"]]), answer["usage"]["prompt_tokens"]


async def test_a_long_text_has_the_weighted_mean_of_its_windows_by_default(app: V1) -> None:
    app.embedder = FakeEmbedder(max_tokens=8)
    (vector, short), tokens = await vectors_of(app, input=[LONG, "a"])
    first, last = FakeEmbedder().vectors(["a b c d e f g h", "i j"])
    mean = 8 * first + 2 * last
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose([short], FakeEmbedder().vectors(["a"]), atol=1e-6)
    assert tokens == 11


@pytest.mark.parametrize(
    ("policy", "fields", "read"),
    [
        ("truncate", {}, 8), ("window", {"truncate": True}, 8), ("refuse", {"truncate": "END"}, 8),
        ("refuse", {"truncate_prompt_tokens": 3}, 3), ("window", {"truncate_prompt_tokens": -1}, 8),
        ("window", {"truncate_prompt_tokens": 100, "truncate": True}, 8),
    ],
)  # fmt: skip
async def test_a_long_text_is_truncated_on_request(app: V1, policy: Any, fields: Any, read: int) -> None:
    app.embedder, app.embedding = FakeEmbedder(max_tokens=8), EmbeddingOptions(policy)
    (vector,), tokens = await vectors_of(app, input=LONG, **fields)
    (expected,) = FakeEmbedder().vectors([" ".join(LONG.split()[:read])])
    np.testing.assert_allclose(vector, expected, atol=1e-6)
    assert tokens == read


@pytest.mark.parametrize("truncate", [False, "NONE"])
async def test_a_long_text_is_refused_on_request(app: V1, truncate: Any) -> None:
    app.embedder = FakeEmbedder(max_tokens=8)
    response = await post(app, input=LONG, truncate=truncate)
    assert error_of(response) == (400, "context_length_exceeded", "input")


async def test_an_unavailable_encoder_is_reported(app: V1) -> None:
    app.embedder.failure = DependencyUnavailable("Embedder does not answer")
    assert error_of(await post(app, input="a"))[:2] == (503, "dependency_unavailable")


async def test_langchain_gets_embeddings(shared_app: V1) -> None:
    from langchain_openai import OpenAIEmbeddings

    async with shared_app.openai() as client:
        client_options: dict[str, Any] = {"api_key": "x", "async_client": client.embeddings}
        embeddings = OpenAIEmbeddings(model=MODEL, check_embedding_ctx_length=False, **client_options)
        vectors = await embeddings.aembed_documents(TEXTS)
    np.testing.assert_allclose(vectors, FakeEmbedder().vectors(TEXTS), atol=1e-6)
