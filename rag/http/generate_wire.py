"""What `/generate` takes: a prompt and vLLM's sampling parameters by their own names."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rag.errors import InvalidRequest
from rag.http.wire import Stop, WireModel
from rag.types import Chat, ModelInput


class StructuredOutputs(BaseModel):
    """Exactly one of the first five."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())

    choice: list[str] | None = Field(None, min_length=1, description="The text is one of these.")
    regex: str | None = Field(None, description="The text matches this regular expression.")
    json_: dict[str, Any] | str | None = Field(None, alias="json", description="The text is JSON of this schema.")
    grammar: str | None = Field(None, description="The text follows this context-free grammar (EBNF).")
    json_object: bool | None = Field(None, description="The text is some JSON object.")
    disable_any_whitespace: bool = False
    whitespace_pattern: str | None = None


class RepetitionDetection(BaseModel):
    """Ends a text that repeats itself; lengths in tokens."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_pattern_size: int = Field(ge=1, le=1024, description="Longest pattern looked for.")
    min_pattern_size: int = Field(1, ge=1, description="Shortest pattern looked for.")
    min_count: int = Field(ge=2, description="Times in a row that a pattern ends the text.")


class GenerateRequest(WireModel):
    """A prompt for the language model alone, with vLLM's sampling parameters by their own names."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"prompt": "The capital of France is", "max_tokens": 16, "temperature": 0}}
    )

    model: str | None = Field(None, max_length=512, description="A LoRA adapter; unset: the language model as it is.")
    prompt: str | None = Field(None, description="Text to go on from. Give this or `tokens`.", max_length=4_000_000)
    tokens: list[Annotated[int, Field(ge=0)]] | None = Field(None, description="Token ids to go on from.", min_length=1)
    stream: bool = Field(True, description="false: one JSON object when the text is complete.")
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="Tokens to generate at most.")
    min_tokens: int | None = Field(None, ge=0, description="Tokens to generate at least.")
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1, description="Likeliest tokens to sample from; 0 or -1: all.")
    min_p: float | None = Field(None, ge=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: str | Stop | None = Field(None, description="A text or texts before which generation ends.")
    stop_token_ids: list[int] | None = None
    bad_words: list[str] | None = None
    ignore_eos: bool | None = None
    include_stop_str_in_output: bool | None = None
    skip_special_tokens: bool | None = None
    spaces_between_special_tokens: bool | None = None
    logit_bias: dict[str, float] | None = Field(None, description="Token id (as text) to a bias from -100 to 100.")
    allowed_token_ids: list[int] | None = None
    structured_outputs: StructuredOutputs | None = None
    repetition_detection: RepetitionDetection | None = None

    _own: ClassVar[frozenset[str]] = frozenset({"model", "prompt", "tokens", "stream"})

    def checked_prompt(self) -> str | list[int]:
        if (self.prompt is None) == (self.tokens is None):
            raise InvalidRequest("prompt: give exactly one of prompt and tokens", param="prompt")
        if self.prompt == "":
            raise InvalidRequest("prompt: is empty", param="prompt")
        return self.prompt if self.prompt is not None else list(self.tokens or ())

    def sampling(self) -> dict[str, Any]:
        """vLLM's parameters by their own names, only those that the request sets."""
        own: set[str] = set(self._own)
        chosen: dict[str, Any] = self.model_dump(exclude=own, exclude_none=True, exclude_unset=True, by_alias=True)
        return chosen


class ChatIn(BaseModel):
    """A conversation, checked by whoever sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    messages: list[dict[str, Any]] = Field(min_length=1)
    tools: list[dict[str, Any]] = Field(default_factory=list)
    template_values: dict[str, Any] = Field(default_factory=dict)
    calls_tools: bool = False


class WriteRequest(GenerateRequest):
    """Between services: a prompt, or a conversation that the language model's own template makes a prompt of."""

    chat: ChatIn | None = None

    _own: ClassVar[frozenset[str]] = frozenset({"model", "prompt", "tokens", "stream", "chat"})

    def model_input(self) -> ModelInput:
        if self.chat is None:
            return self.checked_prompt()
        chat = self.chat
        return Chat(tuple(chat.messages), tuple(chat.tools), chat.template_values, chat.calls_tools)
