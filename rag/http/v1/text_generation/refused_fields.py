"""Fields of OpenAI's and vLLM's requests that this service does not support.

Fields without an effect on the response, such as `user`, are accepted.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from rag.errors import InvalidRequest

REFUSED: Mapping[str, str] = {
    "audio": "this service writes text only",
    "function_call": "use tool_choice",
    "functions": "use tools",
    "moderation": "this service has no moderation",
    "prediction": "predicted outputs are not supported",
    "reasoning_effort": "a model thinks only in a chat; use /v1/chat/completions",
    "suffix": "text is inserted by /v1/completions",
    "verbosity": "state the desired length in the prompt",
    "web_search_options": "web search is not supported; model rag searches your documents",
}
"""By field: what to use instead, or why it is not supported."""
ONLY: Mapping[str, tuple[object, str]] = {
    "add_generation_prompt": (True, "the model always answers as the assistant"),
    "continue_final_message": (False, "the model always writes a new message"),
    "modalities": (["text"], "this service writes text only"),
}
"""By field: the only supported value, and why."""


NEUTRAL: Mapping[str, JsonValue] = {
    "function_call": "none",
    "functions": [],
    "reasoning_effort": "none",
    "suffix": "",
    "verbosity": "medium",
}
"""By unsupported field: the value that asks for nothing."""


def without_refused(
    data: Mapping[str, object],
    refused: Mapping[str, str] = REFUSED,
    only: Mapping[str, tuple[object, str]] = ONLY,
) -> dict[str, object]:
    """The body without unsupported fields, whose values must be null or ask for nothing.

    Raises:
        InvalidRequest: for the first field with another value.

    Args:
        refused: By field: what to use instead, or why it is not supported.
        only: By field: the only supported value, and why.
    """
    for name, value in data.items():
        if name in refused and value is not None and (name not in NEUTRAL or value != NEUTRAL[name]):
            raise InvalidRequest(f"{name}: is not supported: {refused[name]}", param=name)
        if name in only and value is not None and value != only[name][0]:
            raise InvalidRequest(f"{name}: {only[name][1]}", param=name)
    return {name: value for name, value in data.items() if name not in refused}
