"""Structured output: the language model writes a JSON object that follows a schema."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field, replace

from pydantic_core import from_json

from rag.llm.special_tokens import SpecialTokenEscaper
from rag.llm.template_values import NO_THINKING
from rag.ports import ChatTokenizer, Generator
from rag.types import JsonObject, Message, ModelInput, Prompt, SamplingParameters, StreamEnd, TextDelta, Usage


@dataclass(frozen=True, slots=True)
class StructuredPrompt:
    """A prompt whose answer must follow a JSON schema."""

    messages: tuple[Message, ...]
    schema: JsonObject
    max_tokens: int
    sampling: SamplingParameters = field(default_factory=dict)
    """Additional sampling parameters."""

    def parameters(self) -> JsonObject:
        """The sampling parameters, by vLLM's names."""
        fixed = {"temperature": 0.0, "max_tokens": self.max_tokens, "structured_outputs": {"json": self.schema}}
        return {**self.sampling, **fixed}


@dataclass(frozen=True, slots=True)
class StructuredOutput:
    """What the model wrote for a structured prompt."""

    text: str
    in_time: bool = True
    """False if the time limit ended it; `text` is then incomplete."""
    usage: Usage | None = None
    """None if it is not known, because the time limit ended it."""

    def fields(self, *, open_strings: bool = False) -> JsonObject:
        """The complete values of the object; empty if the text is not valid.

        Args:
            open_strings: Include the last string even if the text ends inside it.
        """
        try:
            data = from_json(self.text, allow_partial="trailing-strings" if open_strings else True)
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}


def fit_to_context(form: StructuredPrompt, tokenizer: ChatTokenizer, context_tokens: int) -> ModelInput | None:
    """The messages with special tokens escaped, as model input; None if they do not fit into the context.

    The model does not think first: `max_tokens` is only enough for the object, and the form leaves little to decide.
    """
    escaper = SpecialTokenEscaper(tokenizer.control_texts)
    messages = tuple(replace(message, content=escaper.escape(message.content)) for message in form.messages)
    prompt = Prompt(tuple(tokenizer.render(messages, NO_THINKING)), (), messages)
    tokens = len(prompt.token_ids) or tokenizer.measure(messages, NO_THINKING)
    return prompt.for_model(NO_THINKING, thinks=False) if tokens + form.max_tokens <= context_tokens else None


async def complete(
    generator: Generator, prompt: ModelInput, form: StructuredPrompt, *, timeout_s: float | None = None
) -> StructuredOutput:
    """What the model writes for a structured prompt. Raises what the generator raises.

    Args:
        prompt: The messages of `form`, as returned by `fit_to_context`.
        timeout_s: After this time the engine is stopped, and the text so far is returned.
    """
    written: list[str] = []
    usage: Usage | None = None
    try:
        async with asyncio.timeout(timeout_s):
            async with generator.generate(prompt, form.parameters(), f"form-{uuid.uuid4().hex}") as stream:
                async for delta in stream:
                    if isinstance(delta, TextDelta):
                        written.append(delta.text)
                    elif isinstance(delta, StreamEnd):
                        usage = delta.usage
    except TimeoutError:
        return StructuredOutput("".join(written), in_time=False)
    return StructuredOutput("".join(written), usage=usage)
