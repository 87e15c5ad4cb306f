"""A language model fills in a JSON object."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import from_json

from rag.llm.special_tokens import SpecialTokenEscaper
from rag.ports import ChatTokenizer, Generator
from rag.types import JsonObject, Message, ModelInput, Prompt, TextDelta


@dataclass(frozen=True, slots=True)
class StructuredPrompt:
    """What a model is asked for. A schema lets a small model give something readable, and keeps a large one from
    talking around it."""

    messages: tuple[Message, ...]
    schema: JsonObject
    max_tokens: int
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """More of vLLM's parameters."""

    def parameters(self) -> JsonObject:
        """vLLM's, by their own names."""
        fixed = {"temperature": 0.0, "max_tokens": self.max_tokens, "structured_outputs": {"json": self.schema}}
        return {**self.sampling, **fixed}


@dataclass(frozen=True, slots=True)
class StructuredOutput:
    """What the model wrote of a form."""

    text: str
    in_time: bool = True

    def fields(self, *, open_strings: bool = False) -> JsonObject:
        """The values that are whole; none when it cannot be read.

        Args:
            open_strings: Take the last string as well, where the text ends in the midst of it.
        """
        try:
            data = from_json(self.text, allow_partial="trailing-strings" if open_strings else True)
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}


def fitted(form: StructuredPrompt, tokenizer: ChatTokenizer, context_tokens: int) -> ModelInput | None:
    """The form's messages as the language model takes them; None where they do not fit."""
    marks = SpecialTokenEscaper(tokenizer.control_texts)
    messages = tuple(replace(message, content=marks.escape(message.content)) for message in form.messages)
    prompt = Prompt(tuple(tokenizer.render(messages)), (), messages)
    tokens = len(prompt.token_ids) or tokenizer.measure(messages)
    return prompt.for_model() if tokens + form.max_tokens <= context_tokens else None


async def complete(
    generator: Generator, prompt: ModelInput, form: StructuredPrompt, *, timeout_s: float | None = None
) -> StructuredOutput:
    """Have a form filled in. Raises what the generator raises.

    Args:
        prompt: The form's messages, as `fitted` gives them.
        timeout_s: The engine is stopped then, and what it wrote until then is given back.
    """
    written: list[str] = []
    try:
        async with asyncio.timeout(timeout_s):
            async with generator.generate(prompt, form.parameters(), f"form-{uuid.uuid4().hex}") as stream:
                async for delta in stream:
                    if isinstance(delta, TextDelta):
                        written.append(delta.text)
    except TimeoutError:
        return StructuredOutput("".join(written), in_time=False)
    return StructuredOutput("".join(written))
