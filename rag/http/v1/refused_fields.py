"""Fields of OpenAI's and vLLM's requests that mean something and are not done here. Others mean nothing, and pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag.errors import InvalidRequest

REFUSED: Mapping[str, str] = {
    "audio": "this service writes text only",
    "function_call": "use tool_choice",
    "functions": "use tools",
    "moderation": "nothing is moderated here",
    "prediction": "no predicted output is used here",
    "prompt_cache_options": "prompts are cached by themselves",
    "prompt_cache_retention": "prompts are cached by themselves, as long as there is room",
    "reasoning_effort": "where the model's chat template knows it, give it in chat_template_kwargs",
    "suffix": "the language model goes on from a text, and fills no gaps",
    "verbosity": "say in the prompt how long the answer shall be",
    "web_search_options": "nothing is searched on the web; model rag searches your documents",
}
"""By name: what to do instead, or why."""
_ONLY: Mapping[str, tuple[Any, str]] = {
    "add_generation_prompt": (True, "the model always goes on as the assistant"),
    "continue_final_message": (False, "the model always writes a message of its own"),
    "modalities": (["text"], "this service writes text only"),
    "store": (False, "no conversation is kept here"),
}
"""By name: the one value that can be had, and why there is no other."""


def without_refused(data: Mapping[str, Any]) -> dict[str, Any]:
    """The body without those that are null. Raises InvalidRequest for the first that asks for something."""
    refuse(data, REFUSED, _ONLY)
    return {name: value for name, value in data.items() if name not in REFUSED}


def refuse(data: Mapping[str, Any], refused: Mapping[str, str], only: Mapping[str, tuple[Any, str]]) -> None:
    """Raises InvalidRequest for the first field that asks for what is not done here.

    Args:
        refused: By name: what to do instead, or why.
        only: By name: the one value that can be had, and why there is no other.
    """
    for name, value in data.items():
        if name in refused and value is not None:
            raise InvalidRequest(f"{name}: is not offered: {refused[name]}", param=name)
        if name in only and value is not None and value != only[name][0]:
            raise InvalidRequest(f"{name}: {only[name][1]}", param=name)
