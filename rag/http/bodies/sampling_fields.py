"""vLLM's sampling parameters as request fields, by their own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from rag.http.bodies.wire import Stop
from rag.http.fields.fail_fast import FailFastModel, StrictModel

_SETTING_ONLY = "vLLM accepts it only as an engine setting: set RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG"


_NOT_READ: Mapping[str, str] = {
    "whitespace_pattern": "no structured-output backend of the installed vLLM supports it; use regex or grammar",
    "disable_any_whitespace": _SETTING_ONLY + ' to {"disable_any_whitespace": true}, which is the default',
    "disable_additional_properties": _SETTING_ONLY + ' to {"disable_additional_properties": true}',
}
"""Options of vLLM's structured outputs that it accepts in a request and then ignores."""


PromptTokenIds = list[Annotated[int, Field(ge=0, lt=2**31)]]


MAX_TEXTS = 128
MAX_CHOICE_CHARS = 20_000
"""Of all texts of `choice` together. Compiling the grammar of so many takes a second; other requests wait meanwhile."""


class StructuredOutputs(StrictModel):
    """A constraint on the generated text. Exactly one kind must be given."""

    model_config = ConfigDict(protected_namespaces=())

    choice: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, min_length=1, max_length=1024, description="The text is exactly one of these."
    )
    regex: str | None = Field(None, min_length=1, description="The text matches this regular expression.")
    json_: dict[str, Any] | str | None = Field(
        None, alias="json", description="The text is JSON that matches this schema."
    )
    grammar: str | None = Field(
        None, min_length=1, description="The text follows this grammar, in EBNF (GBNF) or Lark."
    )
    json_object: Literal[True] | None = Field(None, description="The text is a JSON object.")
    structural_tag: str | dict[str, Any] | None = Field(
        None, description="A structural tag as of xgrammar: free text in which some parts follow a schema."
    )
    disable_any_whitespace: bool = Field(False, description="Not supported in requests; it is a setting of the engine.")
    disable_additional_properties: bool = Field(
        False, description="Not supported in requests; it is a setting of the engine."
    )
    whitespace_pattern: str | None = Field(None, description="Not supported by any structured-output backend.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        for name, reason in _NOT_READ.items():
            if getattr(self, name):
                raise ValueError(f"{name} is not supported: {reason}")
        kinds = ("choice", "regex", "json_", "grammar", "json_object", "structural_tag")
        if sum(getattr(self, kind) is not None for kind in kinds) != 1:
            raise ValueError("give exactly one of choice, regex, json, grammar, json_object, structural_tag")
        if sum(map(len, self.choice or ())) > MAX_CHOICE_CHARS:
            raise ValueError(f"the texts of choice may have at most {MAX_CHOICE_CHARS:,} characters in total")
        return self


class RepetitionDetection(StrictModel):
    """Stops generation when the text repeats itself. Lengths are in tokens."""

    max_pattern_size: int = Field(ge=1, le=1024, description="Maximum length of a repeated pattern.")
    min_pattern_size: int = Field(1, ge=1, description="Minimum length of a repeated pattern.")
    min_count: int = Field(ge=2, le=1024, description="Number of consecutive repetitions that stops generation.")


def _without_empty(stop: object) -> object:
    """`stop: ""` means that there is no stop text."""
    return None if stop == "" else stop


class SamplingFields(FailFastModel):
    """vLLM's sampling parameters by their own names."""

    n: int | None = Field(
        None, ge=1, le=MAX_TEXTS, description="Number of texts to generate; at temperature 0 they are identical."
    )
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="Maximum number of tokens to generate.")
    min_tokens: int | None = Field(None, ge=0, le=1_000_000, description="Minimum number of tokens to generate.")
    temperature: float | None = Field(None, ge=0, le=2, description="0: always the most likely token (greedy).")
    top_p: float | None = Field(
        None, gt=0, le=1, description="Nucleus sampling: total probability of the tokens sampled from."
    )
    top_k: int | None = Field(
        None, ge=-1, lt=2**31, description="Sample from this many most likely tokens; 0 or -1: all."
    )
    min_p: float | None = Field(None, ge=0, le=1, description="Minimum probability relative to the most likely token.")
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="Above 0: favors tokens that are not in the text so far."
    )
    frequency_penalty: float | None = Field(
        None, ge=-2, le=2, description="Above 0: favors tokens that occur rarely in the text so far."
    )
    repetition_penalty: float | None = Field(
        None, gt=0, le=10, description="Above 1: favors tokens in neither the prompt nor the text so far."
    )
    seed: int | None = Field(None, ge=-(2**63), lt=2**63, description="Makes sampling reproducible; -1: random.")
    stop: Annotated[Annotated[str, Field(min_length=1)] | Stop | None, BeforeValidator(_without_empty)] = Field(
        None, description="One or more texts before which generation stops."
    )
    stop_token_ids: PromptTokenIds | None = Field(None, description="Tokens that stop generation.", max_length=1024)
    include_stop_str_in_output: bool | None = Field(None, description="Include the stop text at the end of the output.")
    ignore_eos: bool | None = Field(None, description="Continue after the end-of-sequence token.")
    bad_words: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, max_length=1024, description="Words that must not be generated."
    )
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        None, description="Maps token IDs (as strings) to a bias from -100 to 100."
    )
    allowed_token_ids: PromptTokenIds | None = Field(
        None, min_length=1, description="Only these tokens may be generated."
    )
    logprobs: int | None = Field(
        None,
        ge=-1,
        description="Return each token's log probability and those of this many most likely tokens; -1: all.",
    )
    prompt_logprobs: int | None = Field(None, ge=-1, description="Like `logprobs`, for each prompt token.")
    logprob_token_ids: PromptTokenIds | None = Field(
        None, min_length=1, max_length=128, description="Return the log probabilities of these tokens at each position."
    )
    skip_special_tokens: bool | None = Field(None, description="false: keep special tokens in the text.")
    spaces_between_special_tokens: bool | None = Field(None, description="false: no spaces between special tokens.")
    structured_outputs: StructuredOutputs | None = Field(None, description="A constraint on the generated text.")
    repetition_detection: RepetitionDetection | None = Field(None, description="Stop when the text repeats itself.")
    watermarking: bool | None = Field(None, description="false: omit the watermark that is configured for the engine.")
    skip_reading_prefix_cache: bool | None = Field(None, description="true: do not use the prefix cache.")
    thinking_token_budget: int | None = Field(
        None, ge=-1, lt=2**31, description="Maximum number of reasoning tokens; -1: no limit."
    )
    stream_interval: int | None = Field(None, ge=1, le=4096, description="Number of tokens per stream event.")
    trace_decode_token_ids: PromptTokenIds | None = Field(
        None,
        min_length=1,
        description="Tokens to output regardless of the model; needs the engine option enable_trace_replay.",
    )
    extra_args: dict[str, Any] | None = Field(
        None, description="Arguments for custom logits processors; only names that RAG_LLM__ALLOWED_EXTRA_ARGS lists."
    )
