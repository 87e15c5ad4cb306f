"""How answers are sampled unless a request says otherwise."""

from __future__ import annotations

from rag.config import LLMSettings
from rag.types import JsonObject


def answer_sampling(options: LLMSettings) -> JsonObject:
    """The default sampling parameters of an answer, by vLLM's names."""
    sampling: JsonObject = {"max_tokens": options.max_tokens, "temperature": options.temperature}
    if options.stop_repetition:
        sampling["repetition_detection"] = {"max_pattern_size": 64, "min_pattern_size": 2, "min_count": 4}
    return sampling
