"""The request of `/generate`: a prompt and sampling parameters by vLLM's names."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import ConfigDict, Field

from rag.errors import InvalidRequest
from rag.http.bodies.sampling_fields import PromptTokenIds, SamplingFields
from rag.http.bodies.wire import exactly_one
from rag.http.fields.fail_fast import StrictModel
from rag.http.fields.removed_parameters import without_removed
from rag.http.validation.wire_model import WireModel
from rag.types import Chat, Insertion, JsonMapping, JsonObject, ModelInput, RenderedChat


class GenerateRequest(WireModel, SamplingFields):
    """A prompt for the language model alone, with vLLM's sampling parameters by their own names."""

    model_config = ConfigDict(  # type: ignore[misc]
        json_schema_extra={
            "example": {"prompt": "The capital of France is", "max_tokens": 16, "temperature": 0},
            **exactly_one("prompt", "tokens"),
        }
    )

    model: str | None = Field(
        None, max_length=512, description="Name of a LoRA adapter; unset or the language model's name: no adapter."
    )
    prompt: str | None = Field(None, description="Text to continue. Give this or `tokens`.", max_length=4_000_000)
    tokens: PromptTokenIds | None = Field(None, description="Token ids to continue.", min_length=1)
    stream: bool = Field(True, description="false: one JSON object when the text is complete.")

    _own: ClassVar[frozenset[str]] = frozenset({"model", "prompt", "tokens", "stream"})

    @classmethod
    def parse(cls, data: JsonMapping) -> Self:
        return super().parse(without_removed(data))

    def checked_prompt(self) -> str | list[int]:
        if (self.prompt is None) == (self.tokens is None):
            raise InvalidRequest("prompt: give exactly one of prompt and tokens", param="prompt")
        if self.prompt == "":
            raise InvalidRequest("prompt: is empty", param="prompt")
        return self.prompt if self.prompt is not None else list(self.tokens or ())

    def sampling(self) -> JsonObject:
        """The sampling parameters that the request sets, by vLLM's names."""
        own: set[str] = set(self._own)
        chosen: JsonObject = self.model_dump(exclude=own, exclude_none=True, exclude_unset=True, by_alias=True)
        return chosen


class ChatIn(StrictModel):
    """A conversation. The service that sends it has validated it."""

    messages: list[JsonObject] = Field(min_length=1)
    tools: list[JsonObject] = Field(default_factory=list)
    template_values: JsonObject = Field(default_factory=dict)
    calls_tools: bool = False
    thinks: bool = True


class RenderedIn(StrictModel):
    """That `tokens` are a conversation, rendered with the language model's chat template."""

    template_values: JsonObject = Field(default_factory=dict)
    thinks: bool = True


class WriteRequest(GenerateRequest):
    """Between services: a prompt, or a conversation to be rendered with the language model's chat template."""

    chat: ChatIn | None = None
    rendered: RenderedIn | None = None
    suffix: str | None = Field(None, description="The text is inserted between `prompt` and this.")

    _own: ClassVar[frozenset[str]] = frozenset({"model", "prompt", "tokens", "stream", "chat", "rendered", "suffix"})

    def model_input(self) -> ModelInput:
        if (chat := self.chat) is not None:
            return Chat(tuple(chat.messages), tuple(chat.tools), chat.template_values, chat.calls_tools, chat.thinks)
        if (rendered := self.rendered) is not None:
            return RenderedChat(tuple(self.tokens or ()), rendered.template_values, rendered.thinks)
        if self.suffix is not None:
            return Insertion(self.prompt or "", self.suffix)
        return self.checked_prompt()
