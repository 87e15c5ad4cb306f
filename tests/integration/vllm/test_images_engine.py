"""A real engine with a tiny model that sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.vllm.conftest import VllmProcess
from tests.support.models.vision_model import TOKENS_OF_AN_IMAGE, a_png, a_vision_model

pytestmark = [pytest.mark.integration, pytest.mark.long]


def generate(folder: str) -> dict[str, Any]:
    import asyncio
    import dataclasses

    from rag.adapters.vllm.engine import VllmEngine
    from rag.adapters.vllm.prompts.images import ImagePlaces
    from rag.auth.caller import Caller, acting_as
    from rag.config import LLMSettings
    from rag.errors import InvalidRequest, Starting
    from rag.llm.images import data_url, image_part, text_part
    from rag.types import Chat, ModelInput, StreamEnd, TextDelta

    engine = VllmEngine(
        folder, LLMSettings(model=folder, max_images=2, engine={"max_model_len": 128}), lambda name, path: path
    )
    sampling: dict[str, Any] = {"max_tokens": 2, "logprobs": 1}

    async def written(prompt: ModelInput) -> dict[str, Any]:
        text = ""
        logprobs: list[float] = []
        try:
            async with engine.generate(prompt, sampling, str(len(replies))) as stream:
                async for delta in stream:
                    if isinstance(delta, TextDelta):
                        text += delta.text
                        logprobs += [each.logprob for each in delta.logprobs]
                    elif isinstance(delta, StreamEnd):
                        replies.append(text)
                        return {"text": text, "logprobs": logprobs, **dataclasses.asdict(delta.usage)}
        except InvalidRequest as error:
            return {"refusal": error.message}
        return {}

    replies: list[str] = []

    def seeing(*colors: str, text: str = "What is this?") -> Chat:
        shown = [image_part(data_url(a_png(color), "PNG")) for color in colors]
        return Chat(({"role": "user", "content": [*shown, text_part(text)] if shown else text},))

    async def all_written() -> dict[str, Any]:
        await engine.start()
        try:
            while True:
                try:
                    facts = engine.facts()
                    break
                except Starting:
                    await asyncio.sleep(0.2)
            found = {
                "images": facts["images"],
                "blind": await written(seeing()),
                "red": await written(seeing("red")),
                "blue": await written(seeing("blue")),
                "red again": await written(seeing("red")),
                "two": await written(seeing("red", "blue")),
                "three": await written(seeing("red", "blue", "red")),
                "a long text": await written(seeing("red", text="a " * 130)),
                "a placeholder": await written(seeing("red", text="<image>")),
                "only a placeholder": await written(seeing(text="<image>")),
            }
            assert engine._engine is not None
            places = ImagePlaces(engine._engine)
            places._knows_parts = False  # as if the template were one of texts
            found["in a text"] = places.placed(seeing("red", "blue").messages)[0]["content"]
            with acting_as(Caller("key", "other", frozenset({"generate"}))):
                found["another tenant"] = await written(seeing("red"))
            return found
        finally:
            await engine.stop()

    return asyncio.run(all_written())


def test_images_are_seen_counted_and_cached(vllm_process: VllmProcess, tmp_path: Path) -> None:
    found = vllm_process.run(generate, a_vision_model(tmp_path))
    assert found["images"] is True
    text_tokens = found["blind"]["prompt_tokens"]
    assert text_tokens > 10, "the template reads parts only, and still gets the text"
    assert found["red"]["prompt_tokens"] == text_tokens + TOKENS_OF_AN_IMAGE
    assert found["two"]["prompt_tokens"] == text_tokens + 2 * TOKENS_OF_AN_IMAGE
    assert found["red"]["logprobs"] != found["blue"]["logprobs"]
    assert found["red"]["logprobs"] != found["blind"]["logprobs"]
    for name in ("red again", "another tenant"):
        assert found[name]["logprobs"] == pytest.approx(found["red"]["logprobs"], abs=1e-3), name
    assert "more than 2 images" in found["three"]["refusal"]
    assert "128" in found["a long text"]["refusal"]
    assert found["in a text"] == "<image>\n<image>\nWhat is this?"
    # What a user writes never becomes an image's place.
    assert found["a placeholder"]["prompt_tokens"] < found["red"]["prompt_tokens"] + 5
    assert found["only a placeholder"]["text"] is not None
