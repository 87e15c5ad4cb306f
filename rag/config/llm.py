"""Options of the language model: `RAG_LLM__...`."""

from __future__ import annotations

from functools import cached_property
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, SecretStr, field_validator, model_validator

from rag.config.section import Section, listed
from rag.types import ImageLimits


class LLMSettings(Section):
    """The language model: an engine in this service, or a server elsewhere."""

    model: str | None = Field(
        None, description="Hub id or local folder of the model; unset: the embedded SmolLM2-135M-Instruct."
    )
    engine: dict[str, JsonValue] = Field(
        default_factory=dict, description="Engine arguments: any field of vLLM's AsyncEngineArgs, by its own name."
    )
    max_tokens: int = Field(512, ge=1, description="Maximum tokens of an answer, unless the request sets it.")
    max_request_tokens: int = Field(
        32_768, ge=1, description="Maximum product of `n` and `max_tokens` in a request for several texts."
    )
    max_sequences: int | None = Field(
        None,
        ge=1,
        description="Texts that are generated at the same time; more requests wait. Unset: vLLM's max_num_seqs; 256 "
        "with RAG_LLM__URL. More: each text is slower. Fewer: requests wait although the model could take them.",
    )
    headroom: float = Field(
        0.2,
        ge=0,
        le=0.5,
        description="Fraction of these that is kept free for callers with few texts in progress. 0: one caller may use "
        "everything, and others then wait until its texts end.",
    )
    max_waiting: int = Field(
        256,
        ge=1,
        description="Requests of one caller that may wait for the language model; more get 429. The limit for all "
        "callers together is four times as high.",
    )
    max_wait_s: float = Field(
        120.0,
        gt=0,
        description="Seconds that a request may wait for the language model; then, or as soon as a longer wait is "
        "expected, it gets 429. Longer: fewer refusals, later answers.",
    )
    allowed_extra_args: str = Field(
        "", description="Names that `extra_args` of a request may have, separated by commas; unset: none."
    )
    temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature, unless the request sets it.")
    stop_repetition: bool = Field(True, description="End an answer that repeats the same text four times in a row.")
    fast_forward: bool = Field(
        True,
        description="Write the tokens that a structured output leaves no choice about without computing them, such as "
        "those of quotes.",
    )
    cpu_kv_cache_gib: int = Field(1, ge=1, description="Size of the key-value cache in GiB when there is no GPU.")
    adapters: dict[str, str] = Field(
        default_factory=dict,
        description='JSON: LoRA adapters, each with its folder or hub id: {"sql": "/models/sql"}.',
    )
    runtime_adapters: bool = Field(
        False,
        description="Allow adapters to be loaded and unloaded by /v1/load_lora_adapter and /v1/unload_lora_adapter.",
    )
    tool_parser: str | None = Field(
        None,
        description="vLLM's parser for the model's tool calls, such as hermes, for tool_choice auto; unset: the one "
        "that fits the model's chat template, which /readyz shows.",
    )
    thinking_token_budget: int | None = Field(
        None,
        ge=0,
        description="Maximum tokens that a model thinks before it answers, unless the request sets it. They count "
        "towards RAG_LLM__MAX_TOKENS. Unset: no other limit than that.",
    )
    max_images: int = Field(8, ge=1, le=100, description="Maximum number of images of a request.")
    max_image_kib: int = Field(
        8192,
        ge=1,
        le=32_768,
        description="Maximum size of an image in KiB. RAG_SERVER__MAX_BODY_MIB also limits those that are part of a "
        "request.",
    )
    max_image_megapixels: int = Field(
        20, ge=1, le=100, description="Maximum size of an image in million pixels. Reading one takes 4 bytes per pixel."
    )
    image_hosts: str = Field(
        "",
        description="Hosts whose images are fetched if a request names them by http or https URL, separated by commas, "
        "such as images.example.com or 10.0.0.5:8080. A name must resolve to public addresses. Unset: none.",
    )
    image_timeout_s: float = Field(10.0, gt=0, le=60, description="Time limit of fetching an image in seconds.")
    url: str | None = Field(
        None,
        description="An OpenAI-compatible server to use instead of an engine, such as http://host:8000/v1.",
    )
    api_key: SecretStr | None = Field(None, description="API key of that server.")
    tokenizer: str | None = Field(
        None, description="Hub id or folder of the tokenizer of that server's model; unset: token counts are estimated."
    )
    images: bool | None = Field(
        None, description="Whether that server's model reads images; unset: no. An engine detects this itself."
    )
    context_tokens: int | None = Field(
        None,
        ge=256,
        description="Context length of that server's model in tokens; unset: what the server reports, else 8192.",
    )
    timeout_s: float = Field(
        60.0, gt=0, description="Seconds without data from that server after which a request fails."
    )
    service_url: str | None = Field(None, description="URL of an LLM service of this bundle that runs elsewhere.")
    restarts: int = Field(3, ge=0, description="Attempts in a row to restart a dead engine before the process exits.")

    @cached_property
    def image_limits(self) -> ImageLimits:
        pixels = self.max_image_megapixels * 1_000_000
        return ImageLimits(self.max_images, self.max_image_kib * 1024, pixels=pixels)

    @cached_property
    def extra_arg_names(self) -> frozenset[str]:
        return frozenset(listed(self.allowed_extra_args))

    @field_validator("image_hosts")
    @classmethod
    def _check_hosts(cls, hosts: str) -> str:
        for host in listed(hosts):
            parts = urlsplit(f"http://{host}")
            if not parts.hostname or parts.netloc != host or "@" in host or "*" in host:
                raise ValueError("each must be a host name or address, with a port if it is not the usual one")
        return hosts

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://unset")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("must be a URL such as http://host:8000/v1; a key belongs in RAG_LLM__API_KEY")
        return url

    @field_validator("api_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key and not (key.get_secret_value().isascii() and key.get_secret_value().strip().isprintable()):
            raise ValueError("must be printable ASCII")
        return key

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        """Refuse options that would have no effect."""
        of_the_engine = ("engine", "adapters", "runtime_adapters", "tool_parser", "thinking_token_budget")
        of_a_server = ("api_key", "tokenizer", "images", "context_tokens")
        for name in of_a_server if self.url is None else of_the_engine:
            value = getattr(self, name)
            if value is not None and value is not False and value not in ("", {}):
                option = f"RAG_LLM__{name.upper()}"
                reason = "requires RAG_LLM__URL" if self.url is None else "cannot be combined with RAG_LLM__URL"
                raise ValueError(f"{option} {reason}")
        return self
