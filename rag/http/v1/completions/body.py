"""The body of `POST /v1/completions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias, TypeGuard

from pydantic import BeforeValidator, Field

from rag.errors import InvalidRequest
from rag.http.v1.documents.body import example
from rag.http.v1.text_generation.refused_fields import REFUSED
from rag.http.v1.text_generation.writing_body import WritingBody

MAX_PROMPTS = 128
MAX_CHOICES = 512
"""Maximum number of texts of one request: prompts times `n`."""
MAX_CHARS = 4_000_000
DEFAULT_TOKENS = 16
"""OpenAI's default."""
OnePrompt: TypeAlias = "str | list[int]"


_Ids = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]
CompletionPrompt: TypeAlias = (
    str
    | Annotated[list[str], Field(min_length=1, max_length=MAX_PROMPTS)]
    | Annotated[list[_Ids], Field(min_length=1, max_length=MAX_PROMPTS)]
    | _Ids
)


def _as_prompts(prompt: object) -> list[OnePrompt]:
    """A list of prompts from any of the four forms that OpenAI accepts."""
    if isinstance(prompt, str) or _is_tokens(prompt):
        return [prompt]
    several = prompt if isinstance(prompt, list) else []
    if several and (all(isinstance(one, str) for one in several) or all(map(_is_tokens, several))):
        return several
    raise ValueError("must be a text, a list of texts, a list of token ids, or a list of such lists; none empty")


def _is_tokens(prompt: object) -> TypeGuard[list[int]]:
    return isinstance(prompt, list) and bool(prompt) and all(type(one) is int and 0 <= one < 2**31 for one in prompt)


def _fault(prompt: OnePrompt, *, may_be_empty: bool) -> str | None:
    if not prompt and not may_be_empty:
        return "is empty"
    if len(prompt) > MAX_CHARS:
        return f"has more than {MAX_CHARS} characters"
    return None


class CompletionBody(WritingBody):
    model_config = example(model="smollm2-135m-instruct", prompt="The capital of France is", max_tokens=16)

    prompt: Annotated[
        list[str] | list[list[int]], BeforeValidator(_as_prompts, json_schema_input_type=CompletionPrompt)
    ] = Field(max_length=MAX_PROMPTS)
    suffix: str | None = Field(
        None,
        max_length=MAX_CHARS,
        description="The text is inserted between `prompt`, which may then be empty, and this. Only for models that "
        "were trained to insert text.",
    )
    max_tokens: int | None = Field(None, ge=0, le=1_000_000)
    store: Literal[False] | None = Field(None, description="Completions of texts are not kept.")
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool | None = None

    _refused: ClassVar[Mapping[str, str]] = {name: why for name, why in REFUSED.items() if name != "suffix"}

    def checked(self) -> CompletionBody:
        """The body itself. Raises InvalidRequest for fields that cannot be combined."""
        self.check_stream()
        for prompt in self.prompt:
            if (fault := _fault(prompt, may_be_empty=bool(self.suffix))) is not None:
                raise InvalidRequest(f"prompt: {fault}", param="prompt")
        if len(self.prompt) * self.texts > MAX_CHOICES:
            raise InvalidRequest(f"n: the request asks for more than {MAX_CHOICES} texts in total", param="n")
        if self.suffix and not isinstance(self.prompt[0], str):
            raise InvalidRequest("suffix: requires prompts that are texts, not token ids", param="suffix")
        if self.echo:
            self._check_echo()
        elif self.max_tokens == 0:
            raise InvalidRequest("max_tokens: 0 requires echo, because nothing would be generated", param="max_tokens")
        return self

    def _check_echo(self) -> None:
        if not isinstance(self.prompt[0], str):
            raise InvalidRequest("echo: requires prompts that are texts, not token ids", param="echo")
        if self.suffix and self.logprobs is not None:
            raise InvalidRequest("echo: cannot be combined with suffix and logprobs", param="echo")
        if self.stream and self.logprobs is not None:
            message = "logprobs: cannot be streamed for an echoed prompt; leave out stream, echo or logprobs"
            raise InvalidRequest(message, param="logprobs")

    def sampling(self) -> dict[str, object]:
        """vLLM's parameters by their own names, only those that the request sets; `max_tokens` always."""
        chosen = self.common_sampling()
        chosen["max_tokens"] = DEFAULT_TOKENS if self.max_tokens is None else max(self.max_tokens, 1)
        if self.logprobs is not None:
            chosen["logprobs"] = self.logprobs
            if self.echo:
                chosen["prompt_logprobs"] = max(self.logprobs, self.prompt_logprobs or 0)
        return chosen
