"""Converts texts and conversations to token ids with the engine's tokenizer and the model's chat template."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from rag.errors import InvalidRequest
from rag.llm.chat_escaper import ChatEscaper
from rag.llm.fill_in_middle import FillInMiddle
from rag.llm.images import image_urls, text_part
from rag.llm.special_tokens import control_texts_of
from rag.llm.template_parts import as_parts, takes_only_parts
from rag.llm.template_values import NO_THINKING, known_variables
from rag.types import Chat, Insertion, JsonObject, ModelInput, RenderedChat

if TYPE_CHECKING:
    from vllm.tokenizers import TokenizerLike

    from rag.adapters.vllm.prompts.images import ImagePlaces

T = TypeVar("T")
_PROBE: tuple[JsonObject, ...] = ({"role": "system", "content": "x"}, {"role": "user", "content": "x"})


class EnginePrompts:
    """Tokenizes in a thread of its own, since a tokenizer is not thread-safe and long texts take a while.

    Args:
        tokenizer: The engine's tokenizer, which is copied.
        places: Where images stand; None: the model does not see.
    """

    def __init__(self, tokenizer: TokenizerLike, places: ImagePlaces | None = None) -> None:
        self._tokenizer = copy.deepcopy(tokenizer)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prompts")
        self._knows_system: bool | None = None
        self._places = places
        images = () if places is None else (places.placeholder(1),)
        self._escaper = ChatEscaper({*control_texts_of(tokenizer), *images})
        self._wants_parts: bool | None = None
        self._fill_in_middle = FillInMiddle(self._tokenizer)

    async def token_ids(self, prompt: ModelInput) -> list[int]:
        """The token ids of a prompt.

        Raises:
            InvalidRequest: the chat template rejects the conversation, or the model cannot insert text.
        """
        if isinstance(prompt, Chat):
            return await self._in_thread(self._rendered, prompt)
        if isinstance(prompt, RenderedChat):
            return list(prompt.token_ids)
        if isinstance(prompt, Insertion):
            return await self._in_thread(self._around_gap, prompt)
        if isinstance(prompt, str):
            return await self._in_thread(self._tokenizer.encode, prompt)
        return list(prompt)

    def stop_token_ids(self, prompt: ModelInput) -> list[int]:
        """Tokens at which the text ends, besides those at which every text of the model ends."""
        return self._fill_in_middle.stop_token_ids() if isinstance(prompt, Insertion) else []

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[T], list[int]], argument: T) -> list[int]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, argument)

    def _around_gap(self, prompt: Insertion) -> list[int]:
        texts = (self._escaper.text(text) for text in (prompt.prefix, prompt.suffix))
        return self._fill_in_middle.token_ids(Insertion(*texts))

    def _rendered(self, chat: Chat) -> list[int]:
        wanted = chat.template_values if chat.thinks else {**chat.template_values, **NO_THINKING}
        values = known_variables(wanted, getattr(self._tokenizer, "chat_template", None))
        if self._places is None and image_urls(chat.messages):
            raise InvalidRequest("messages: the language model reads text only, no images", param="messages")
        turns = [_with_arguments_as_objects(self._escaper.turn(turn)) for turn in chat.messages]
        if turns and turns[0].get("role") == "system" and not self._takes_system():
            turns = _without_system(turns)
        if self._places is not None:
            turns = self._places.placed(turns)
        if self._takes_only_parts():
            turns = as_parts(turns)
        tools = [self._escaper.tool(tool) for tool in chat.tools]
        return self._applied(turns, tools, values)

    def _takes_only_parts(self) -> bool:
        if self._wants_parts is None:
            self._wants_parts = takes_only_parts(self._tokenizer)
        return self._wants_parts

    def _takes_system(self) -> bool:
        if self._knows_system is None:
            try:
                self._applied(_PROBE, (), {})
                self._knows_system = True
            except InvalidRequest:
                self._knows_system = False
        return self._knows_system

    def _applied(
        self, turns: Sequence[JsonObject], tools: Sequence[JsonObject], values: Mapping[str, Any]
    ) -> list[int]:
        try:
            token_ids = self._tokenizer.apply_chat_template(
                list(turns),
                tools=list(tools) or None,
                tokenize=True,
                add_generation_prompt=True,
                return_dict=False,
                **values,
            )
        except Exception as error:  # a template is a program that can fail in any way
            refusal = f"messages: the model's chat template rejects this conversation ({str(error)[:200]})"
            raise InvalidRequest(refusal, param="messages") from error
        return [int(token) for token in token_ids]


def _without_system(turns: Sequence[JsonObject]) -> list[JsonObject]:
    """The conversation for a template without a system role, such as Gemma's: its text starts the first user turn."""
    head, *rest = turns
    if not rest:
        return [{**head, "role": "user"}]
    first = rest[0]["content"]
    joined = (
        f"{head['content']}\n\n{first}" if isinstance(first, str) else [text_part(f"{head['content']}\n\n"), *first]
    )
    return [{**rest[0], "content": joined}, *rest[1:]]


def _with_arguments_as_objects(turn: JsonObject) -> JsonObject:
    """The turn with the arguments of tool calls as objects, since templates convert them to JSON themselves."""
    calls = turn.get("tool_calls")
    return turn if not calls else {**turn, "tool_calls": [_call(call) for call in calls]}


def _call(call: JsonObject) -> JsonObject:
    function = call["function"]
    try:
        arguments = json.loads(function["arguments"] or "{}")
    except (ValueError, TypeError, RecursionError):
        raise InvalidRequest("messages: the arguments of a tool call are not JSON", param="messages") from None
    return {**call, "function": {**function, "arguments": arguments}}
