"""`/v1/models`, through OpenAI's client."""

from __future__ import annotations

import openai
import pytest

from tests.support.edge_service import ALIAS, MODEL, an_edge
from tests.support.v1_client import error_of


async def test_all_models_are_listed() -> None:
    async with an_edge() as edge, edge.openai() as client:
        models = [model.to_dict() async for model in client.models.list()]
        assert [(model["id"], model["kind"], model["parent"]) for model in models] == [
            ("rag", "rag", None),
            (MODEL, "language", None),
            (ALIAS, "language", None),
            ("sql", "adapter", MODEL),
            ("rag:sql", "rag", "sql"),
            ("the-encoder", "embedding", None),
        ]
        assert {model["max_model_len"] for model in models[:5]} == {512}
        assert {(model["object"], model["owned_by"], type(model["created"])) for model in models} == {
            ("model", "rag", int)
        }


async def test_a_model_is_retrieved_by_its_name() -> None:
    async with an_edge() as edge, edge.openai() as client:
        for name in (MODEL, "rag:sql", "rag"):  # with slashes and colons
            assert (await client.models.retrieve(name)).id == name
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("org/other:2")
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.APIStatusError) as caught_status:
            await client.models.delete("rag")
        assert (caught_status.value.status_code, caught_status.value.code) == (405, "method_not_allowed")


async def test_other_methods_get_a_405_of_the_common_shape() -> None:
    async with an_edge() as edge:
        for path in ("/v1/models", "/v1/models/rag"):
            assert error_of(await edge.post(path, {}))[:2] == (405, "method_not_allowed")


async def test_every_alias_of_the_language_model_is_accepted() -> None:
    async with an_edge() as edge:
        for path, body in (
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]}),
            ("/v1/completions", {"prompt": "Hello"}),
            ("/v1/responses", {"input": "Hello"}),
        ):
            answer = await edge.post(path, {"model": ALIAS, **body})
            assert (answer.status_code, answer.json()["model"]) == (200, ALIAS), answer.text
        assert set(edge.generator.models) == {""}
