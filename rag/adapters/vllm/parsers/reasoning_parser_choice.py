"""Chooses vLLM's reasoning parser for a model, by its type and chat template."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rag.adapters.vllm.args import option_of
from rag.adapters.vllm.parsers.tool_parser_choice import template_of
from rag.errors import SetupError

if TYPE_CHECKING:
    from vllm.config import VllmConfig
    from vllm.tokenizers import TokenizerLike

logger = logging.getLogger("rag.engine")

BY_TYPE: Mapping[str, str] = {"gemma4": "gemma4"}
"""Parsers by `model_type` in the model's config, where the template does not tell."""
BY_MARKS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("seed_oss", ("<seed:think>",)),
    ("cohere_command3", ("<|START_THINKING|>",)),
    ("mistral", ("[THINK]", "[/THINK]")),
    ("granite", ("Here is my thought process:",)),
    ("minimax_m2", ("<minimax:tool_call>", "<think>")),
    ("kimi_k2", ("<|tool_calls_section_begin|>", "<think>")),
    ("glm45", ("<think>", "<arg_key>")),
    ("deepseek_v3", ("<｜tool▁calls▁begin｜>", "thinking", "</think>")),
    ("qwen3", ("enable_thinking", "<think>", "</think>")),
)
"""Parsers, each with strings that are typical of its models' chat templates. The first parser whose strings are all
present is chosen, so specific ones come before `qwen3`."""
_PROMPT = "add_generation_prompt"


def parser_of(model_type: str, template: str) -> str | None:
    """The name of the parser; None: the model does not think, or its format is unknown.

    A wrong parser would treat whole answers as reasoning. So `<think>` alone decides nothing: templates of models that
    do not think have it too, to remove it from earlier turns.
    """
    if (parser := BY_TYPE.get(model_type)) is not None:
        return parser
    for parser, marks in BY_MARKS:
        if all(mark in template for mark in marks):
            return parser
    turn = template.rpartition(_PROMPT)[2] if _PROMPT in template else ""
    return "deepseek_r1" if "<think>" in turn and "</think>" not in turn else None


def reasoning_parser_of(config: VllmConfig) -> str | None:
    """The name of the parser with which the engine was started; None if it has none."""
    return config.structured_outputs_config.reasoning_parser or None


def choose_reasoning_parser(config: VllmConfig) -> None:
    """Set the parser for the model of this configuration, if one is known."""
    from vllm.config import ReasoningConfig

    if (parser := chosen_reasoning_parser(config)) is not None:
        config.structured_outputs_config.reasoning_parser = parser
        config.reasoning_config = ReasoningConfig(reasoning_parser=parser)
        config.reasoning_config.initialize_token_ids(config.model_config)


def chosen_reasoning_parser(config: VllmConfig) -> str | None:
    """The parser for the model of this configuration; None if none is known or vLLM cannot use it."""
    from vllm.reasoning import ReasoningParserManager
    from vllm.tokenizers import cached_tokenizer_from_config

    tokenizer: TokenizerLike = cached_tokenizer_from_config(config.model_config)
    template = template_of(getattr(tokenizer, "chat_template", None))
    parser = parser_of(str(getattr(config.model_config.hf_config, "model_type", "")), template)
    if parser is None:
        return None
    try:
        ReasoningParserManager.get_reasoning_parser(parser)(tokenizer)
    except Exception as error:  # a parser may fail in any way if the vocabulary lacks its tokens
        logger.warning("the reasoning parser %s cannot be used with this model: %s", parser, error)
        return None
    return parser


def check_reasoning_parser(name: object, plugin: object) -> None:
    """Raise SetupError if vLLM has no reasoning parser of this name; the message names the most similar one.

    Args:
        plugin: File that registers further parsers, or None.
    """
    from vllm.reasoning import ReasoningParserManager

    if isinstance(plugin, str) and plugin:
        ReasoningParserManager.import_reasoning_parser(plugin)
    known = ReasoningParserManager.list_registered()
    if name and name not in known:
        similar = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean {similar[0]}?" if similar else f"it has {', '.join(known)}"
        option = option_of("reasoning_parser")
        raise SetupError(f"{option}: vLLM has no reasoning parser {name!r}; {hint}", param=option)
