"""vLLM's sampling parameters, as requests carry them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rag.http.wire import Stop

_STATED = "vLLM reads it from its settings alone: set RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG"


_NOT_READ: Mapping[str, str] = {
    "whitespace_pattern": "no backend of this vLLM reads it; use a regex, or a grammar",
    "disable_any_whitespace": _STATED + ' to {"backend": "xgrammar", "disable_any_whitespace": true}',
    "disable_additional_properties": _STATED + ' to {"backend": "guidance", "disable_additional_properties": true}',
}
"""Options of vLLM's structured outputs that it takes from a request, and then ignores."""


PromptTokenIds = list[Annotated[int, Field(ge=0, lt=2**31)]]


MAX_TEXTS = 128


class StructuredOutputs(BaseModel):
    """What the text must be. Exactly one of them."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())

    choice: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, min_length=1, max_length=1024, description="The text is one of these."
    )
    regex: str | None = Field(None, min_length=1, description="The text matches this regular expression.")
    json_: dict[str, Any] | str | None = Field(None, alias="json", description="The text is JSON of this schema.")
    grammar: str | None = Field(None, min_length=1, description="The text follows this grammar: EBNF (GBNF), or Lark.")
    json_object: Literal[True] | None = Field(None, description="The text is some JSON object.")
    structural_tag: str | dict[str, Any] | None = Field(
        None, description="xgrammar's structural tag: free text with parts that follow a schema."
    )
    disable_any_whitespace: bool = Field(False, description="Not for requests: a setting of the engine.")
    disable_additional_properties: bool = Field(False, description="Not for requests: a setting of the engine.")
    whitespace_pattern: str | None = Field(None, description="Not taken: no backend reads it.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        for name, reason in _NOT_READ.items():
            if getattr(self, name):
                raise ValueError(f"{name} is not taken: {reason}")
        kinds = ("choice", "regex", "json_", "grammar", "json_object", "structural_tag")
        if sum(getattr(self, kind) is not None for kind in kinds) != 1:
            raise ValueError("give exactly one of choice, regex, json, grammar, json_object, structural_tag")
        return self


class RepetitionDetection(BaseModel):
    """Ends a text that repeats itself; lengths in tokens."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_pattern_size: int = Field(ge=1, le=1024, description="Longest pattern looked for.")
    min_pattern_size: int = Field(1, ge=1, description="Shortest pattern looked for.")
    min_count: int = Field(ge=2, le=1024, description="Times in a row that a pattern ends the text.")


class SamplingFields(BaseModel):
    """vLLM's sampling parameters by their own names."""

    n: int | None = Field(None, ge=1, le=MAX_TEXTS, description="Texts to write; of temperature 0 all are the same.")
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="Tokens to generate at most.")
    min_tokens: int | None = Field(None, ge=0, le=1_000_000, description="Tokens to generate at least.")
    temperature: float | None = Field(None, ge=0, le=2, description="0 always takes the likeliest token.")
    top_p: float | None = Field(None, gt=0, le=1, description="Share of probability that tokens are sampled from.")
    top_k: int | None = Field(None, ge=-1, lt=2**31, description="Likeliest tokens to sample from; 0 or -1: all.")
    min_p: float | None = Field(None, ge=0, le=1, description="Least probability, relative to the likeliest token's.")
    presence_penalty: float | None = Field(None, ge=-2, le=2, description="Above 0: rather tokens not written yet.")
    frequency_penalty: float | None = Field(None, ge=-2, le=2, description="Above 0: rather tokens seldom written.")
    repetition_penalty: float | None = Field(
        None, gt=0, le=10, description="Above 1: rather tokens neither in the prompt nor written yet."
    )
    seed: int | None = Field(None, ge=-(2**63), lt=2**63, description="Makes sampling repeatable; -1: not.")
    stop: Annotated[str, Field(min_length=1)] | Stop | None = Field(
        None, description="A text or texts before which generation ends."
    )
    stop_token_ids: PromptTokenIds | None = Field(None, description="Tokens that end the text.", max_length=1024)
    include_stop_str_in_output: bool | None = Field(None, description="Keep the stop text at the text's end.")
    ignore_eos: bool | None = Field(None, description="Go on when the model wants to end.")
    bad_words: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, max_length=1024, description="Words that are not written."
    )
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        None, description="Token id (as text) to a bias from -100 to 100."
    )
    allowed_token_ids: PromptTokenIds | None = Field(
        None, min_length=1, description="The only tokens that are written."
    )
    logprobs: int | None = Field(
        None, ge=-1, description="Log probabilities of each token, and of so many likeliest in its place; -1: of all."
    )
    prompt_logprobs: int | None = Field(None, ge=-1, description="The same of each token of the prompt.")
    logprob_token_ids: PromptTokenIds | None = Field(
        None, min_length=1, max_length=128, description="Log probabilities of these tokens in each place."
    )
    skip_special_tokens: bool | None = Field(None, description="false: write the model's special tokens, too.")
    spaces_between_special_tokens: bool | None = Field(None, description="false: no blanks between special tokens.")
    structured_outputs: StructuredOutputs | None = Field(None, description="What the text must be.")
    repetition_detection: RepetitionDetection | None = Field(None, description="End a text that repeats itself.")
    watermarking: bool | None = Field(None, description="false: without the watermark that the engine is set to.")
    skip_reading_prefix_cache: bool | None = Field(None, description="true: ignore the prefix cache.")
    thinking_token_budget: int | None = Field(
        None, ge=-1, lt=2**31, description="Tokens that a reasoning model may think; -1: any number."
    )
    stream_interval: int | None = Field(None, ge=1, le=4096, description="Tokens that come in one piece.")
    trace_decode_token_ids: PromptTokenIds | None = Field(
        None, min_length=1, description="Tokens to write, whatever the model holds: with its enable_trace_replay."
    )
    extra_args: dict[str, Any] | None = Field(None, description="Values for logits processors of your own.")
