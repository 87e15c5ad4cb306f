"""Chooses vLLM's parser of a model's tool calls by what the model's chat template tells the model to write."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag.types import JsonObject

if TYPE_CHECKING:
    from vllm.tokenizers import TokenizerLike

logger = logging.getLogger("rag.engine")

BY_MARKS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("minimax_m2", ("<minimax:tool_call>",)),
    ("seed_oss", ("<seed:tool_call>",)),
    ("deepseek_v3", ("<｜tool▁calls▁begin｜>", "```json")),
    ("deepseek_v31", ("<｜tool▁calls▁begin｜>",)),
    ("kimi_k2", ("<|tool_calls_section_begin|>",)),
    ("cohere_command3", ("<|START_ACTION|>",)),
    ("functiongemma", ("<start_function_call>",)),
    ("lfm2", ("<|tool_call_start|>",)),
    ("glm45", ("<tool_call>", "<arg_key>")),
    ("qwen3_coder", ("<tool_call>", "<function=")),
    ("mistral", ("[TOOL_CALLS]",)),
    ("openai", ("<|channel|>", "functions.")),
    ("llama3_json", ('{"name": function name, "parameters": dictionary of argument name and its value}',)),
    ("jamba", ("<tool_calls>", "</tool_calls>")),
    ("hermes", ("<tool_call>", "</tool_call>")),
)
"""Parsers, each with strings that are typical of its models' chat templates. The first parser whose strings are all
present is chosen, so specific ones come before `hermes`, which Qwen and many other models share."""


def parser_of_template(template: str) -> str | None:
    """The name of the parser for models with this chat template; None: the template has no tools, or none known."""
    if "tools" not in template:
        return None
    return next((parser for parser, marks in BY_MARKS if all(mark in template for mark in marks)), None)


def chosen_parser(tokenizer: TokenizerLike) -> str | None:
    """The parser for the model of this tokenizer; None if none is known or vLLM cannot use it with the tokenizer."""
    from vllm.tool_parsers import ToolParserManager

    parser = parser_of_template(template_of(getattr(tokenizer, "chat_template", None)))
    if parser is None:
        return None
    try:
        ToolParserManager.get_tool_parser(parser)(tokenizer, [])
    except Exception as error:  # a parser may fail in any way if the vocabulary lacks its tokens
        logger.warning("the tool parser %s cannot be used with this model: %s", parser, error)
        return None
    return parser


def template_of(templates: str | JsonObject | None) -> str:
    """The template for conversations with tools, of a model that may have several by name."""
    if isinstance(templates, dict):
        templates = templates.get("tool_use") or templates.get("default")
    return templates if isinstance(templates, str) else ""
