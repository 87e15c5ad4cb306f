"""Separates a model's reasoning from its text, with vLLM's parser for that model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.llm.template_values import template_variables
from rag.types import Chat, JsonMapping, ModelInput, RenderedChat

if TYPE_CHECKING:
    from vllm.config import VllmConfig
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.entrypoints.openai.responses.protocol import ResponsesRequest
    from vllm.parser import Parser
    from vllm.tokenizers import TokenizerLike

_HARMONY = "gpt_oss"
"""Type of the models whose whole output is a sequence of messages, in the format Harmony."""


@dataclass(frozen=True, slots=True)
class SplitText:
    """New output of a model, in two parts."""

    reasoning: str
    text: str
    reasoning_tokens: int
    """Number of its tokens, from the first, that belong to the reasoning."""


class EngineReasoning:
    """The reasoning parser of an engine.

    Args:
        name: Name of vLLM's parser.
    """

    def __init__(self, name: str, config: VllmConfig, tokenizer: TokenizerLike) -> None:
        from vllm.parser import ParserManager

        self._is_harmony = getattr(config.model_config.hf_config, "model_type", "") == _HARMONY
        parser = ParserManager.get_parser(reasoning_parser_name=name, tokenizer=tokenizer, is_harmony=self._is_harmony)
        assert parser is not None, "it is None only without a name"
        self._parser = parser
        self._tokenizer = tokenizer

    def of(self, prompt: ModelInput, token_ids: Sequence[int]) -> RequestReasoning | None:
        """Splits the output of one request. None if the request does not think: a prompt of plain text never does.

        Args:
            token_ids: Of the prompt.
        """
        if not isinstance(prompt, Chat | RenderedChat) or not prompt.thinks:
            return None
        if self._is_harmony and isinstance(prompt, Chat) and prompt.calls_tools:
            return None  # the parser of calls needs the whole output
        values = template_variables(prompt.template_values)
        return RequestReasoning(self._parser, self._tokenizer, token_ids, values)


class RequestReasoning:
    """Splits the output of one request.

    Args:
        prompt: Its token ids.
        template_values: The variables of the chat template with which it was rendered.
    """

    def __init__(
        self, parser: type[Parser], tokenizer: TokenizerLike, prompt: Sequence[int], template_values: JsonMapping
    ) -> None:
        self._template_values = dict(template_values)
        self._new_parser: Callable[[], Parser] = lambda: parser(tokenizer, chat_template_kwargs=self._template_values)
        self._prompt = list(prompt)
        self._request = self._new_parser().adjust_request(_request())
        self._token_id = tokenizer.get_vocab().get
        self._readers: dict[int, _Reader] = {}

    def sampling(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Keep special tokens in the text if the parser looks for them."""
        return {**({} if self._request.skip_special_tokens else {"skip_special_tokens": False}), **chosen}

    def engine_fields(self) -> dict[str, Any]:
        """Arguments of vLLM's `generate`: a structured output begins after the thinking."""
        return {
            "reasoning_ended": self._new_parser().is_reasoning_end(self._prompt),
            "reasoning_parser_kwargs": {"chat_template_kwargs": self._template_values},
        }

    def split(self, index: int, text: str, token_ids: Sequence[int], *, is_last: bool) -> SplitText:
        """Split the next part of a text into reasoning and answer.

        Args:
            index: Number of the text, in a request for several.
            is_last: Whether this is the end of the text.
        """
        if index not in self._readers:
            self._readers[index] = _Reader(self._new_parser(), self._request, self._prompt, self._token_id)
        return self._readers[index].read(text, list(token_ids), is_last=is_last)


@dataclass(slots=True)
class _Reader:
    """Splits one text. The blanks around the thinking are dropped."""

    parser: Parser
    request: ChatCompletionRequest | ResponsesRequest
    prompt: list[int]
    token_id: Callable[[str], int | None]
    """The id of a token by its text; None if there is none."""
    _thinks: bool = False
    """Whether any thinking was found."""
    _writes: bool = False
    """Whether the text has begun."""
    _blanks: str = ""
    """Held back: they are part of the thinking if more of it follows."""
    _undecided: int = 0
    """Number of tokens before any text, such as the one that begins the thinking. Later text decides how they count."""

    def read(self, text: str, token_ids: list[int], *, is_last: bool) -> SplitText:
        message = self.parser.parse_delta(text, token_ids, self.request, self.prompt, finished=is_last)
        reasoning, content = (message.reasoning or "", message.content or "") if message is not None else ("", "")
        tokens = self._reasoning_tokens(reasoning, content, token_ids)
        return SplitText(self._trimmed_reasoning(reasoning), self._trimmed_text(content), tokens)

    def _reasoning_tokens(self, reasoning: str, content: str, token_ids: list[int]) -> int:
        if self._writes:
            return 0
        if content:
            thinks = bool(reasoning) or self._thinks
            before = len(token_ids) - self._content_tokens(token_ids, reasoning) + self._undecided if thinks else 0
            self._undecided = 0
            return before
        if not (reasoning or self._thinks):
            self._undecided += len(token_ids)
            return 0
        before, self._undecided = self._undecided, 0
        return before + len(token_ids)

    def _content_tokens(self, token_ids: list[int], reasoning: str) -> int:
        parser = self.parser.reasoning_parser
        end = None if parser is None else self.token_id(parser.reasoning_end_str or "")
        if end in token_ids:
            return len(token_ids) - 1 - token_ids.index(end)
        return 0 if reasoning else len(token_ids)

    def _trimmed_reasoning(self, reasoning: str) -> str:
        found = self._blanks + reasoning if self._thinks else self._without_mark(reasoning)
        kept = found.rstrip()
        self._blanks = found[len(kept) :]
        self._thinks = self._thinks or bool(kept)
        return kept

    def _without_mark(self, reasoning: str) -> str:
        """The beginning of the thinking: some parsers leave its mark there if more than the mark arrives at once."""
        parser = self.parser.reasoning_parser
        mark = None if parser is None else parser.reasoning_start_str
        return reasoning.lstrip().removeprefix(mark or "").lstrip()

    def _trimmed_text(self, content: str) -> str:
        kept = content.lstrip() if self._thinks and not self._writes else content
        self._writes = self._writes or bool(kept)
        return kept


def _request() -> ChatCompletionRequest:
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest

    return ChatCompletionRequest(messages=[{"role": "user", "content": ""}])
