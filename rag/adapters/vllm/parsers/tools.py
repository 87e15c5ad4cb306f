"""Separates a model's tool calls from its text with vLLM's parser for that model."""

from __future__ import annotations

import difflib
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rag.errors import InvalidRequest, SetupError
from rag.ports import TokenStream
from rag.types import Chat, JsonObject, ReasoningDelta, StreamEnd, StreamItem, TextDelta, TokenLogprob

if TYPE_CHECKING:
    from vllm.entrypoints.generate.base.protocol import ToolCall
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.tokenizers import TokenizerLike

OPTION = "RAG_LLM__TOOL_PARSER"


def check_parser(name: str | None) -> None:
    """Raise SetupError if vLLM has no tool parser of this name; the message names the most similar one."""
    from vllm.tool_parsers import ToolParserManager

    known = ToolParserManager.list_registered()
    if name is not None and name not in known:
        similar = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {similar[0]}?" if similar else f"it has {', '.join(known)}"
        raise SetupError(f"{OPTION}: vLLM has no tool parser {name!r}; {hint}", param=OPTION)


class ToolCalls:
    """The tool calls of one request.

    Args:
        parser: Name of vLLM's tool parser.
        tokenizer: The engine's tokenizer.

    Raises:
        InvalidRequest: no parser is configured, or a tool is not valid.
    """

    def __init__(self, parser: str | None, tokenizer: TokenizerLike, chat: Chat) -> None:
        if parser is None:
            refusal = f"tool_choice: auto requires a parser for this model's tool calls; set {OPTION} in the service"
            raise InvalidRequest(refusal, param="tool_choice")
        from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
        from vllm.tool_parsers import ToolParserManager

        fields = {"messages": [{"role": "user", "content": ""}], "tools": list(chat.tools), "tool_choice": "auto"}
        try:
            request = ChatCompletionRequest.model_validate(fields)
            self._parser = ToolParserManager.get_tool_parser(parser)(tokenizer, list(request.tools or ()))
            adjusted = self._parser.adjust_request(request)
        except (ValueError, TypeError) as error:
            raise InvalidRequest(f"tools: {_reason(error)}", param="tools") from error
        self._request: ChatCompletionRequest = adjusted if isinstance(adjusted, ChatCompletionRequest) else request

    def sampling(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Keep special tokens in the text if the parser looks for them."""
        return {"skip_special_tokens": self._request.skip_special_tokens, **chosen}

    async def parse(self, stream: TokenStream) -> AsyncGenerator[StreamItem, None]:
        """The stream with the tool calls separated from the text.

        Text is buffered until it is complete: parsers treat a partial text differently (docs/bentoml_issues.md#v9), and
        streamed and plain answers must be the same.
        """
        texts: dict[int, str] = {}
        logprobs: dict[int, tuple[TokenLogprob, ...]] = {}
        async for delta in stream:
            if isinstance(delta, StreamEnd):
                for index in sorted(texts):
                    yield self._read(texts[index], index, logprobs[index])
                yield delta
            elif isinstance(delta, ReasoningDelta):
                yield delta
            else:
                texts[delta.index] = texts.get(delta.index, "") + delta.text
                logprobs[delta.index] = (*logprobs.get(delta.index, ()), *delta.logprobs)

    def _read(self, text: str, index: int, logprobs: tuple[TokenLogprob, ...]) -> TextDelta:
        parsed = self._parser.extract_tool_calls(text, request=self._request)
        if not parsed.tools_called:
            return TextDelta(text, index, logprobs)
        calls = tuple(_delta(number, call) for number, call in enumerate(parsed.tool_calls))
        return TextDelta((parsed.content or "").strip(), index, logprobs, calls)


def _reason(error: Exception) -> str:
    details = error.errors() if isinstance(error, ValidationError) else []
    if not details:
        return str(error)[:300]
    place = ".".join(str(part) for part in details[0]["loc"] if part != "tools")
    return f"{place}: {details[0]['msg']}"


def _delta(number: int, call: ToolCall) -> JsonObject:
    function = {"name": call.function.name, "arguments": call.function.arguments}
    return {"index": number, "id": call.id, "type": "function", "function": function}
