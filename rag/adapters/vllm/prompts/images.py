"""Images in prompts of vision models: their positions in the chat template, and their tokens."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from rag.adapters.vllm.errors import translated
from rag.errors import InvalidRequest
from rag.llm.images import bytes_of, decoded, is_image
from rag.types import ImageLimits, JsonObject

if TYPE_CHECKING:
    from vllm.inputs import EngineInput
    from vllm.v1.engine.async_llm import AsyncLLM

_PARAM = "messages"


class ImagePlaces:
    """The positions of images in the conversation that a chat template renders.

    Templates that know parts place images themselves. For the others, the model's placeholder is a part of the text.

    Args:
        engine: Of a model that sees.
    """

    def __init__(self, engine: AsyncLLM) -> None:
        from vllm.model_executor.model_loader import get_model_cls
        from vllm.renderers.hf import resolve_chat_template_content_format

        config = engine.model_config
        self._model_class: Any = get_model_cls(config)
        tokenizer: Any = engine.get_tokenizer()
        form = resolve_chat_template_content_format(None, None, "auto", tokenizer, model_config=config)
        self._knows_parts = form == "openai"

    def placeholder(self, number: int) -> str:
        """The text that stands for an image, from 1; empty if the model has none."""
        return self._model_class.get_placeholder_str("image", number) or ""

    def placed(self, turns: Sequence[JsonObject]) -> list[JsonObject]:
        """The conversation with contents as the chat template reads them."""
        numbers = count(1)
        return [
            {**turn, "content": self._content(turn["content"], numbers)}
            if isinstance(turn.get("content"), list)
            else turn
            for turn in turns
        ]

    def _content(self, parts: Sequence[JsonObject], numbers: count[int]) -> str | list[JsonObject]:
        if self._knows_parts:
            return [{"type": "image"} if is_image(part) else part for part in parts]
        texts = [self.placeholder(next(numbers)) if is_image(part) else part["text"] for part in parts]
        return "\n".join(texts)


async def input_with_images(
    engine: AsyncLLM, token_ids: Sequence[int], data_urls: Sequence[str], salt: str | None, limits: ImageLimits
) -> EngineInput:
    """The input of vLLM's `generate`, with as many tokens for each image as the model reads.

    Args:
        token_ids: Of the prompt, with one placeholder for each image.
        salt: Separates the caches of tenants.

    Raises:
        InvalidRequest: an image cannot be read, or there are more than the model can see.
    """
    if len(data_urls) > limits.count:
        raise InvalidRequest(f"{_PARAM}: more than {limits.count} images", param=_PARAM)
    contents = [bytes_of(url) for url in data_urls]
    images = [(await asyncio.to_thread(decoded, content, limits))[0] for content in contents]
    prompt: JsonObject = {
        "prompt_token_ids": list(token_ids),
        "multi_modal_data": {"image": images},
        # vLLM caches what it makes of an image by this name, for all requests.
        "multi_modal_uuids": {"image": [_name(content, salt) for content in contents]},
    }
    if salt is not None:
        prompt["cache_salt"] = salt
    with translated(_PARAM):
        (rendered,) = await engine.renderer.render_cmpl_async([prompt])  # type: ignore[list-item]
    return rendered  # type: ignore[no-any-return]


def reads_images(engine: AsyncLLM) -> bool:
    """Whether the model reads images and the engine's arguments allow it."""
    if not engine.model_config.supports_multimodal_inputs:
        return False
    limits: Mapping[str, int] = engine.renderer.get_mm_processor().info.allowed_mm_limits
    return limits.get("image", 0) > 0


def _name(content: bytes, salt: str | None) -> str:
    return hashlib.sha256((salt or "").encode() + b"\0" + content).hexdigest()
