"""A model's tool calls, told from its text by vLLM's parser for that model."""

from __future__ import annotations

import difflib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from rag.errors import InvalidRequest, SetupError
from rag.ports import TokenStream
from rag.types import Chat, JsonObject, StreamEnd, TextDelta, TokenLogprob

OPTION = "RAG_LLM__TOOL_PARSER"


def check_parser(name: str | None) -> None:
    """Raises SetupError: vLLM has no parser of this name; with the nearest that it has."""
    from vllm.tool_parsers import ToolParserManager

    known = ToolParserManager.list_registered()
    if name is not None and name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise SetupError(f"{OPTION}: vLLM has no tool parser {name!r}; {hint}", param=OPTION)


class ToolCalls:
    """Of one request.

    Args:
        parser: Name of vLLM's parser.
        tokenizer: The engine's.

    Raises:
        InvalidRequest: there is no parser, or a tool is none.
    """

    def __init__(self, parser: str | None, tokenizer: Any, chat: Chat) -> None:
        if parser is None:
            refusal = f"tool_choice: auto needs the parser of this model's tool calls; the service's {OPTION} sets it"
            raise InvalidRequest(refusal, param="tool_choice")
        from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
        from vllm.tool_parsers import ToolParserManager

        asked: Any = {"messages": [{"role": "user", "content": ""}], "tools": list(chat.tools), "tool_choice": "auto"}
        try:
            self._request: Any = ChatCompletionRequest(**asked)
            make: Any = ToolParserManager.get_tool_parser(parser)
            self._parser: Any = make(tokenizer, self._request.tools)
            self._request = self._parser.adjust_request(self._request)
        except (ValueError, TypeError) as error:
            raise InvalidRequest(f"tools: {_reason(error)}", param="tools") from error

    def sampling(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """The parser's marks are special tokens of many models, and would be left out of the text."""
        return {"skip_special_tokens": self._request.skip_special_tokens, **chosen}

    async def parse(self, stream: TokenStream) -> AsyncGenerator[TextDelta | StreamEnd, None]:
        """The stream with the tool calls separated from the text.

        Text is held back until it is whole: what parsers say of parts of a text differs from what they say of the
        whole, and streamed and plain answers shall be the same.
        """
        texts: dict[int, str] = {}
        logprobs: dict[int, tuple[TokenLogprob, ...]] = {}
        async for delta in stream:
            if isinstance(delta, StreamEnd):
                for index in sorted(texts):
                    yield self._read(texts[index], index, logprobs[index])
                yield delta
            else:
                texts[delta.index] = texts.get(delta.index, "") + delta.text
                logprobs[delta.index] = (*logprobs.get(delta.index, ()), *delta.logprobs)

    def _read(self, text: str, index: int, logprobs: tuple[TokenLogprob, ...]) -> TextDelta:
        found = self._parser.extract_tool_calls(text, request=self._request)
        if not found.tools_called:
            return TextDelta(text, index, logprobs)
        calls = tuple(_delta(number, call) for number, call in enumerate(found.tool_calls))
        return TextDelta((found.content or "").strip(), index, logprobs, calls)


def _reason(error: Exception) -> str:
    details: Any = getattr(error, "errors", list)()
    if not details:
        return str(error)[:300]
    place = ".".join(str(part) for part in details[0]["loc"] if part != "tools")
    return f"{place}: {details[0]['msg']}"


def _delta(number: int, call: Any) -> JsonObject:
    function = {"name": call.function.name, "arguments": call.function.arguments}
    return {"index": number, "id": call.id, "type": "function", "function": function}
