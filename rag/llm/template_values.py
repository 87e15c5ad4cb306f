"""The variables that a request can pass to the language model's chat template."""

from __future__ import annotations

from typing import Final

from rag.errors import InvalidRequest
from rag.types import JsonMapping, JsonObject

EFFORT: Final = "reasoning_effort"
NO_THINKING: Final[JsonMapping] = {"enable_thinking": False, "thinking": False}
"""Chat templates have two names for this variable: DeepSeek's and Granite's use the second one. Each template ignores
the name that it does not know."""
_OWN = frozenset(
    {
        "chat_template", "tools", "conversation", "messages", "tokenize", "return_dict", "return_tensors",
        "add_generation_prompt", "continue_final_message", "padding", "truncation", "max_length", "tokenizer_kwargs",
        "return_assistant_tokens_mask",
    }
)  # fmt: skip
"""Arguments of `apply_chat_template` that a request must not set as variables of the template."""


def known_variables(values: JsonMapping, template: object) -> JsonObject:
    """As `template_variables`, without those of `NO_THINKING` that the template does not have: the tokenizers of some
    models reject what their templates do not know.

    Args:
        template: Of a tokenizer: its text, or several by name.
    """
    text = str(template)
    return {
        name: value for name, value in template_variables(values).items() if name not in NO_THINKING or name in text
    }


def template_variables(values: JsonMapping) -> JsonObject:
    """The variables for the template. As in vLLM, `reasoning_effort` also switches thinking on or off.

    Raises:
        InvalidRequest: one of them is not the request's to set.
    """
    if wrong := sorted(_OWN & values.keys()):
        raise InvalidRequest(f"chat_template_kwargs: {wrong[0]} cannot be set", param="chat_template_kwargs")
    if (effort := values.get(EFFORT)) is None:
        return dict(values)
    return {**dict.fromkeys(NO_THINKING, effort != "none"), **values}
