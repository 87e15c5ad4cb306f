"""A chat template that reads contents as lists of parts only, with the tokenizers of the engine and the Retriever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rag.adapters.hf_tokenizer import HfChatTokenizer
from rag.adapters.vllm.prompts.prompt import EnginePrompts
from rag.errors import InvalidRequest
from rag.llm.images import image_part, text_part
from rag.types import Chat, Message
from tests.support.models.vision_model import IMAGE_TOKEN, a_vision_tokenizer

pytestmark = pytest.mark.integration

EXPECTED = "<|im_start|>user\nWhat is < image> here?<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Any:
    return a_vision_tokenizer(tmp_path)


async def test_texts_are_not_lost_and_placeholders_of_users_are_escaped(tokenizer: Any, tmp_path: Path) -> None:
    prompts = EnginePrompts(tokenizer)
    ids = await prompts.token_ids(Chat(({"role": "user", "content": "What is <image> here?"},)))
    assert tokenizer.decode(ids) == EXPECTED
    assert tokenizer.convert_tokens_to_ids(IMAGE_TOKEN) not in ids
    own = HfChatTokenizer(str(tmp_path))
    assert IMAGE_TOKEN in own.control_texts
    assert own.render([Message("user", "What is < image> here?")]) == ids


async def test_a_model_that_does_not_see_refuses_images(tokenizer: Any) -> None:
    parts = [image_part("data:image/png;base64,AA=="), text_part("What?")]
    with pytest.raises(InvalidRequest, match="reads text only"):
        await EnginePrompts(tokenizer).token_ids(Chat(({"role": "user", "content": parts},)))
