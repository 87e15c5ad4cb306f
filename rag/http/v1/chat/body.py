"""The body of `POST /v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rag.errors import InvalidRequest
from rag.generate.quoting import StyleOption
from rag.http.fields.filters_wire import Filter
from rag.http.fields.response_format import ResponseFormat, structured_outputs
from rag.http.fields.retrieval_settings import RetrievalSettings
from rag.http.fields.thinking_fields import Effort, template_values
from rag.http.v1.chat.messages import MAX_MESSAGES, MessageIn, check_messages
from rag.http.v1.chat.tool_choice import ToolChoiceIn, ToolIn, chat_tool_use
from rag.http.v1.documents.body import Body, CacheOptions, described_as, example
from rag.http.v1.function_calling.functions import MAX_FUNCTIONS
from rag.http.v1.function_calling.tool_use import ToolUse
from rag.http.v1.text_generation.refused_fields import REFUSED
from rag.http.v1.text_generation.writing_body import WritingBody
from rag.llm.template_values import EFFORT
from rag.types import JsonObject


class ChatRagOptions(Body):
    """Not in OpenAI's API: retrieval options of model `rag`."""

    vector_store: str | None = Field(None, min_length=1, max_length=64)
    top_k: int | None = Field(None, ge=1, le=100)
    filters: Filter | None = None
    retrieval: RetrievalSettings | None = None
    citations: Literal["check", "verify", "off"] | None = None


class ChatBody(WritingBody):
    model_config = example(
        model="rag", messages=[{"role": "user", "content": "What is this service made of?"}], max_tokens=64
    )

    messages: list[MessageIn] = Field(min_length=1, max_length=MAX_MESSAGES)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    tools: list[ToolIn] | None = Field(None, max_length=MAX_FUNCTIONS)
    tool_choice: Annotated[str | JsonObject | None, described_as(ToolChoiceIn)] = None
    parallel_tool_calls: bool | None = None
    chat_template_kwargs: JsonObject | None = None
    reasoning_effort: Effort | None = None
    rag: ChatRagOptions | None = None
    style: StyleOption | None = Field(None, description="Not in OpenAI's API: style of an answer of model `rag`.")
    add_generation_prompt: Literal[True] | None = Field(
        None, description="The language model always answers as the assistant."
    )
    continue_final_message: Literal[False] | None = Field(
        None, description="The language model always writes a new message."
    )
    modalities: list[str] | None = None
    store: bool | None = Field(None, description="true: the completion is kept.")
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: CacheOptions | None = None

    _refused: ClassVar[Mapping[str, str]] = {name: why for name, why in REFUSED.items() if name != EFFORT}

    def checked(self) -> ChatBody:
        """The body itself. Raises InvalidRequest for fields that cannot be combined."""
        self.check_stream()
        check_messages(self.messages)
        if self.top_logprobs and not self.logprobs:
            raise InvalidRequest("top_logprobs: requires logprobs to be true", param="top_logprobs")
        if None not in (both := (self.max_tokens, self.max_completion_tokens)) and both[0] != both[1]:
            raise InvalidRequest("max_tokens: differs from max_completion_tokens; give one", param="max_tokens")
        return self

    @property
    def template_values(self) -> JsonObject:
        """Variables of the chat template."""
        return template_values(self.reasoning_effort, self.chat_template_kwargs)

    def tool_use(self) -> ToolUse:
        return chat_tool_use(self.tools, self.tool_choice, parallel=self.parallel_tool_calls is not False)

    def sampling(self) -> JsonObject:
        """vLLM's parameters by their own names, only those that the request sets.

        Raises:
            InvalidRequest: two fields prescribe the form of the text.
        """
        chosen = self.common_sampling()
        if self.max_completion_tokens is not None:
            chosen["max_tokens"] = self.max_completion_tokens
        if self.logprobs:
            chosen["logprobs"] = self.top_logprobs or 0
        if (structured := structured_outputs(self.response_format)) is not None:
            if self.structured_outputs is not None:
                message = "response_format: cannot be combined with structured_outputs; give one of them"
                raise InvalidRequest(message, param="response_format")
            chosen["structured_outputs"] = structured
        return chosen
