"""`/v1/models`, through OpenAI's client."""

from __future__ import annotations

import httpx
import openai
import pytest

from rag.http.model_aliases import ModelAliases
from tests.support.servers.edge_service import ALIAS, MODEL, an_edge
from tests.support.v1.v1_client import error_of


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


ALIASES = ModelAliases(
    {"gpt-4o": "rag", "gpt-*": MODEL, "s*l": "rag", "my-sql": "sql", "lost": "none", "e": "the-encoder"}
)


async def test_aliases_are_listed_and_retrieved() -> None:
    async with an_edge(aliases=ALIASES) as edge, edge.openai() as client:
        listed = {model.id: model.to_dict()["kind"] async for model in client.models.list()}
        assert {"gpt-4o": "rag", "my-sql": "adapter", "e": "embedding"}.items() <= listed.items()
        assert not {"gpt-*", "lost"} & set(listed)
        for name, kind in (("gpt-4o", "rag"), ("gpt-5-mini", "language"), ("my-sql", "adapter")):
            model = (await client.models.retrieve(name)).to_dict()
            assert (model["id"], model["kind"]) == (name, kind)


async def test_an_alias_stands_for_its_model() -> None:
    async with an_edge(aliases=ALIASES) as edge:
        for name, model, searches in (
            ("my-sql", "sql", 0), ("gpt-4.1", "", 0), ("gpt-4o", "", 1), ("sql", "sql", 0), (MODEL, "", 0)
        ):  # fmt: skip
            edge.retriever.prepared.clear()
            for path, body in (
                ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]}),
                ("/v1/responses", {"input": "Hello"}),
            ):
                answer = await edge.post(path, {"model": name, **body})
                assert (answer.status_code, answer.json()["model"]) == (200, name), answer.text
            assert len(edge.retriever.prepared) == 2 * searches
            assert set(edge.generator.models[-2:]) == {model}


@pytest.mark.parametrize("name", ["other", "lost", "xgpt-4"])
async def test_a_name_that_stands_for_nothing_is_not_found(name: str) -> None:
    async with an_edge(aliases=ALIASES) as edge:
        body = {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
        answer = await edge.post("/v1/chat/completions", body)
        assert error_of(answer) == (404, "model_not_found", "model")


async def test_models_are_listed_with_a_slash_at_the_end() -> None:
    async with an_edge() as edge, httpx.AsyncClient(base_url=edge.url) as http:
        assert (await http.get("/v1/models/")).json() == (await http.get("/v1/models")).json()


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
