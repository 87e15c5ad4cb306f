"""The fields that bodies of chat completions and completions share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from rag.errors import InvalidRequest
from rag.http.bodies.sampling_fields import SamplingFields
from rag.http.fields.removed_parameters import without_removed
from rag.http.v1.documents.body import Body, CacheRetention, Metadata, ServiceTier
from rag.http.v1.text_generation.refused_fields import REFUSED, without_refused

SAMPLED = 1.0
"""Default temperature when several texts are requested, as in OpenAI's API: at 0 they would all be the same."""


class StreamOptions(Body):
    include_usage: bool | None = None
    continuous_usage_stats: Literal[False] | None = Field(None, description="Usage comes only at the end of a stream.")
    include_obfuscation: Literal[False] | None = Field(None, description="Events are not padded.")


class WritingBody(SamplingFields, Body):
    """OpenAI's parameters, and vLLM's sampling parameters under vLLM's names."""

    model: str = Field(min_length=1, max_length=512)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    metadata: Metadata | None = None
    service_tier: ServiceTier | None = Field(None, description="There is one tier; all names are accepted.")
    prompt_cache_retention: CacheRetention | None = Field(None, description="Prompts are cached automatically.")

    _other: ClassVar[frozenset[str]] = frozenset({"logprobs"})
    """Sampling fields that OpenAI's API defines differently."""
    _refused: ClassVar[Mapping[str, str]] = REFUSED
    """Unsupported fields."""

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, data: Any) -> Any:
        return without_refused(without_removed(data), cls._refused) if isinstance(data, Mapping) else data

    @property
    def texts(self) -> int:
        return self.n or 1

    @property
    def includes_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def check_stream(self) -> None:
        """Raises InvalidRequest for fields that need a stream, or cannot be streamed."""
        if self.stream_options is not None and not self.stream:
            raise InvalidRequest("stream_options: is only allowed with stream true", param="stream_options")
        if self.prompt_logprobs is not None and self.stream:
            raise InvalidRequest("prompt_logprobs: cannot be streamed; leave stream out", param="prompt_logprobs")

    def common_sampling(self) -> dict[str, Any]:
        """vLLM's parameters by their own names, only those that the request sets."""
        names = set(SamplingFields.model_fields) - self._other
        chosen = self.model_dump(include=names, exclude_none=True, exclude_unset=True, by_alias=True)
        if self.texts > 1:
            chosen.setdefault("temperature", SAMPLED)
        return chosen
