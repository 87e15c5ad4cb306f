"""Images in messages: the language model is shown them, or the request is refused with the name of the field."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rag.errors import InvalidRequest
from rag.http.v1.text_generation.image_options import ImageOptions
from rag.llm.images import data_url, image_part
from rag.types import ImageLimits
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.models.vision_model import a_png
from tests.support.servers.edge_service import FACTS, EdgeService, an_edge
from tests.support.v1.kept_catalog import a_keeping_edge
from tests.support.v1.response_calls import HITS, create_response
from tests.support.v1.v1_client import error_of

FILE_ID = "file-" + "0" * 24
RED, BLUE = (data_url(a_png(color), "PNG") for color in ("red", "blue"))
SEES = {"images": True}
LIMITS = ImageLimits(count=2, bytes=2_000, pixels=10_000)


class KnownImages:
    """A source with one image."""

    async def fetch(self, url: str) -> bytes:
        if url != "https://x.org/red.png":
            raise InvalidRequest("is not allowed")
        return a_png("red")


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    retriever = FakeRetriever(HITS)
    retriever.contents[FILE_ID] = a_png("blue")
    options = ImageOptions(LIMITS, KnownImages())
    async with an_edge(FakeGenerator("A square."), retriever, facts=SEES, images=options) as edge:
        yield edge


def chat_turn(*urls: str, text: str = "What is this?") -> list[Any]:
    images = [{"type": "image_url", "image_url": {"url": url, "detail": "high"}} for url in urls]
    return [{"role": "user", "content": [*images, {"type": "text", "text": text}]}]


def response_turn(*images: dict[str, Any]) -> list[Any]:
    parts = [{"type": "input_image", **image} for image in images]
    return [{"role": "user", "content": [*parts, {"type": "input_text", "text": "What is this?"}]}]


def shown(*urls: str) -> list[Any]:
    content = [*map(image_part, urls), {"type": "text", "text": "What is this?"}]
    return [{"role": "user", "content": content}]


def prompts(edge: EdgeService) -> list[list[Any]]:
    return [list(prompt.messages) for prompt, _, _ in edge.generator.requests]


async def test_the_language_model_is_shown_images(edge: EdgeService) -> None:
    plain = (await edge.chat("What is this?")).json()["usage"]["prompt_tokens"]
    for url in (RED, "https://x.org/red.png"):
        answer = await edge.chat(chat_turn(url))
        assert answer.json()["usage"]["prompt_tokens"] > plain
        assert (await create_response(edge, input=response_turn({"image_url": url}))).status_code == 200
    assert (await create_response(edge, input=response_turn({"file_id": FILE_ID, "detail": "low"}))).status_code == 200
    assert prompts(edge)[1:] == [*[shown(RED)] * 4, shown(BLUE)]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data:image/png;base64," + base64.b64encode(b"%PDF-1.7").decode(), "not a PNG"),
        ("data:image/png,abc", "data URL"),
        ("ftp://x.org/a.png", "data URL"),
        ("https://other.org/a.png", "not allowed"),
        (data_url(a_png("red", side=200), "PNG"), "200 x 200 pixels"),
    ],
    ids=["no image", "no base64", "scheme", "host", "pixels"],
)
async def test_an_image_that_cannot_be_read_is_refused(edge: EdgeService, url: str, reason: str) -> None:
    chat = await edge.chat(chat_turn(RED, url))
    response = await create_response(edge, input=response_turn({"image_url": RED}, {"image_url": url}))
    assert error_of(chat)[::2] == (400, "messages.0.content.1.image_url")
    assert error_of(response)[::2] == (400, "input.0.content.1.image_url")
    for refused in (chat, response):
        assert reason in refused.json()["error"]["message"]
    assert not edge.generator.requests


async def test_a_file_that_is_not_there_is_named(edge: EdgeService) -> None:
    refused = await create_response(edge, input=response_turn({"file_id": "file-" + "1" * 24}))
    assert error_of(refused)[::2] == (404, "input.0.content.0.file_id")


@pytest.mark.parametrize("image", [{}, {"image_url": RED, "file_id": FILE_ID}, {"image_url": ""}])
async def test_an_image_has_one_source(edge: EdgeService, image: dict[str, Any]) -> None:
    refused = await create_response(edge, input=response_turn(image))
    assert refused.status_code == 400
    assert (error_of(refused)[2] or "").startswith("input.0.content.0")


async def test_the_list_of_models_says_which_read_images(edge: EdgeService) -> None:
    async with edge.openai() as client:
        models = [model.model_dump() async for model in client.models.list()]
    reads = {model["id"]: model["input_modalities"] for model in models}
    assert reads[str(FACTS["model"])] == reads["sql"] == ["text", "image"]
    assert reads["rag"] == reads["the-encoder"] == ["text"]


async def test_there_is_a_limit_of_images(edge: EdgeService) -> None:
    assert error_of(await edge.chat(chat_turn(RED, BLUE, RED)))[::2] == (400, "messages.0.content.2")


async def test_there_is_a_limit_of_all_images_together() -> None:
    size = len(a_png("red"))
    options = ImageOptions(ImageLimits(total_bytes=2 * size))
    async with an_edge(FakeGenerator("x"), FakeRetriever(HITS), facts=SEES, images=options) as edge:
        assert (await edge.chat(chat_turn(RED, RED))).status_code == 200
        assert error_of(await edge.chat(chat_turn(RED, RED, RED)))[::2] == (400, "messages.0.content.0")


async def test_only_users_show_images(edge: EdgeService) -> None:
    turn = {**chat_turn(RED)[0], "role": "system"}
    assert error_of(await edge.chat([turn, *chat_turn(RED)]))[2] == "messages.0.content.0"
    turn = {**response_turn({"image_url": RED})[0], "role": "assistant"}
    assert error_of(await create_response(edge, input=[turn, *response_turn({"image_url": RED})]))[2] == (
        "input.0.content.0"
    )


async def test_answers_from_documents_refuse_images(edge: EdgeService) -> None:
    for refused in (
        await edge.chat(chat_turn(RED), model="rag"),
        await create_response(edge, model="rag", input=response_turn({"image_url": RED})),
    ):
        assert error_of(refused)[2] in ("messages.0.content.0", "input.0.content.0")
        assert "reads no images" in refused.json()["error"]["message"]


async def test_a_model_that_does_not_see_refuses_images_by_name() -> None:
    async with an_edge(FakeGenerator("x"), FakeRetriever(HITS)) as edge:
        for refused in (
            await edge.chat(chat_turn(RED)),
            await create_response(edge, input=response_turn({"image_url": RED})),
        ):
            assert error_of(refused)[2] in ("messages.0.content.0", "input.0.content.0")
            assert f"{FACTS['model']} reads text only" in refused.json()["error"]["message"]
        assert not edge.generator.requests


async def test_a_kept_response_is_continued_with_as_many_images_as_allowed(tmp_path: Path) -> None:
    options = ImageOptions(LIMITS)
    async with a_keeping_edge(tmp_path, FakeGenerator("A square."), facts=SEES, images=options) as edge:
        first = (await create_response(edge, input=response_turn({"image_url": RED}))).json()
        async with edge.openai() as client:
            [item] = (await client.responses.input_items.list(first["id"])).data
        kept = item.model_dump()["content"]
        assert [kept[0]["type"], kept[0]["image_url"], kept[0]["detail"]] == ["input_image", RED, "auto"]
        turn = response_turn({"image_url": BLUE}, {"image_url": BLUE})
        again = await create_response(edge, input=turn, previous_response_id=first["id"])
        assert again.status_code == 200
        earlier, _, own = prompts(edge)[1]
        assert earlier["content"][0] == {"type": "text", "text": "[image]"}
        assert own["content"][:2] == [image_part(BLUE)] * 2
        await create_response(edge, input="And now?", previous_response_id=first["id"])
        assert prompts(edge)[2][0]["content"][0] == image_part(RED)


async def test_a_kept_completion_shows_its_images(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, FakeGenerator("A square."), facts=SEES) as edge:
        completion = (await edge.chat(chat_turn(RED), store=True)).json()
        async with edge.openai() as client:
            [message] = (await client.chat.completions.messages.list(completion["id"])).data
        assert message.content == "What is this?"
        assert [part.type for part in message.content_parts or ()] == ["image_url", "text"]


async def test_images_are_shown_beside_functions_that_the_model_writes_as_text() -> None:
    facts, function = {**SEES, "tool_parser": None}, {"name": "add", "parameters": {"type": "object"}}
    async with an_edge(FakeGenerator("A square."), FakeRetriever(HITS), facts=facts) as edge:
        answer = await edge.chat(chat_turn(RED), tools=[{"type": "function", "function": function}])
        assert answer.status_code == 200
        [[system, user]] = prompts(edge)
        assert "add" in system["content"]
        assert user["content"] == shown(RED)[0]["content"]


async def test_a_model_that_searches_itself_is_shown_images(edge: EdgeService) -> None:
    body = {"model": str(FACTS["model"]), "rag": {"search": "model"}, "input": response_turn({"image_url": RED})}
    tool = {"type": "file_search", "vector_store_ids": ["default"]}
    assert (await edge.post("/v1/responses", {**body, "tools": [tool]})).status_code == 200
    first = prompts(edge)[0]
    assert shown(RED)[0] in first
