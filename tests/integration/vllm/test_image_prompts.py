"""Prompts with images, made with the configuration, tokenizer and renderer of an engine, but without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.vllm.conftest import VllmProcess
from tests.support.models.vision_model import TOKENS_OF_AN_IMAGE, a_png, a_vision_model

pytestmark = [pytest.mark.integration, pytest.mark.long]


def rendered(folder: str) -> dict[str, Any]:
    import asyncio
    from types import SimpleNamespace

    from vllm.renderers.registry import renderer_from_config

    from rag.adapters.vllm.prompts.images import ImagePlaces, input_with_images, reads_images
    from rag.adapters.vllm.prompts.prompt import EnginePrompts
    from rag.adapters.vllm.start import checked_config
    from rag.config import LLMSettings
    from rag.errors import InvalidRequest
    from rag.llm.images import data_url, image_part, image_urls, text_part
    from rag.types import Chat, ImageLimits

    def an_engine(**arguments: Any) -> Any:
        _, config = checked_config(folder, LLMSettings(model=folder, engine={"max_model_len": 256, **arguments}))
        renderer = renderer_from_config(config)
        return SimpleNamespace(
            model_config=config.model_config, renderer=renderer, get_tokenizer=renderer.get_tokenizer
        )

    def chat(*colors: str, text: str = "What is this?") -> Chat:
        shown = [image_part(data_url(a_png(color), "PNG")) for color in colors]
        return Chat(({"role": "user", "content": [*shown, text_part(text)] if shown else text},))

    async def made() -> dict[str, Any]:
        engine, blind = an_engine(), an_engine(limit_mm_per_prompt={"image": 0})
        places = ImagePlaces(engine)
        prompts = EnginePrompts(engine.get_tokenizer(), places)
        limits = ImageLimits(count=2)

        async def ids(conversation: Chat) -> list[int]:
            return await prompts.token_ids(conversation)

        async def inputs(conversation: Chat, salt: str | None = None) -> Any:
            urls = image_urls(conversation.messages)
            return await input_with_images(engine, await ids(conversation), urls, salt, limits)

        async def name(color: str, salt: str | None) -> str:
            return str((await inputs(chat(color), salt))["mm_hashes"]["image"][0])

        async def refusal() -> str:
            try:
                await inputs(chat("red", "red", "red"))
            except InvalidRequest as error:
                return error.message
            return ""

        mark = engine.get_tokenizer().convert_tokens_to_ids("<image>")
        salted = await inputs(chat("red"), "tenant:other")
        found = {
            "reads": [reads_images(engine), reads_images(blind)],
            "text": len(await ids(chat())),
            "one": len((await inputs(chat("red")))["prompt_token_ids"]),
            "two": len((await inputs(chat("red", "blue")))["prompt_token_ids"]),
            "written": (await ids(chat(text="an <image> here"))).count(mark),
            "shown and written": (await ids(chat("red", text="<image>"))).count(mark),
            "names": [
                await name("red", None),
                await name("red", None),
                await name("blue", None),
                await name("red", "o"),
            ],
            "salt": salted["cache_salt"],
            "three": await refusal(),
        }
        places._knows_parts = False  # as if the template were one of texts
        found["in a text"] = places.placed(chat("red", "blue").messages)[0]["content"]
        return found

    return asyncio.run(made())


def test_images_have_places_tokens_and_names(vllm_process: VllmProcess, tmp_path: Path) -> None:
    found = vllm_process.run(rendered, a_vision_model(tmp_path))
    assert found["reads"] == [True, False]
    assert found["text"] > 10, "the template reads parts only, and still gets the text"
    assert found["one"] == found["text"] + TOKENS_OF_AN_IMAGE
    assert found["two"] == found["text"] + 2 * TOKENS_OF_AN_IMAGE
    # What a user writes never becomes an image's place.
    assert (found["written"], found["shown and written"]) == (0, 1)
    red, again, blue, other_tenant = found["names"]
    assert red == again
    assert len({red, blue, other_tenant}) == 3
    assert found["salt"] == "tenant:other"
    assert "more than 2 images" in found["three"]
    assert found["in a text"] == "<image>\n<image>\nWhat is this?"
