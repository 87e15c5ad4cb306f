"""Settings -> keyword arguments of vLLM's AsyncEngineArgs."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rag.config import LLMSettings
from rag.errors import SetupError

CPU_DEFAULTS: Mapping[str, Any] = {"enforce_eager": True, "max_num_seqs": 64, "enable_chunked_prefill": False}
"""Compilation takes minutes to start and gains nothing on a CPU; 64 streams at once are plenty there.

Prompts are read whole: vLLM 0.32 rewinds the random numbers of a seeded request whose prompt is read in parts, which
a CPU's generator cannot do, and the whole engine dies of it (`CPU Generator does not use offset`).
"""
CPU_CONTEXT_TOKENS = 8192
"""Context on a CPU unless the user sets another: a longer one would not fit into its key-value cache."""
LEASH = "rag.adapters.engine_leash.EngineLeash"


def engine_arguments(model: str, settings: LLMSettings, *, on_cpu: bool, known: type) -> dict[str, Any]:
    """What the engine is started with; what the user set wins.

    Args:
        known: vLLM's AsyncEngineArgs, whose fields are the names that exist.

    Raises:
        SetupError: a name that vLLM does not know, with the nearest that it does.
    """
    chosen = {name.lower(): _value(value) for name, value in settings.engine.items()}
    fields = {field.name for field in dataclasses.fields(known)}
    for name in chosen:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"; did you mean RAG_LLM__ENGINE__{near[0].upper()}?" if near else ""
            raise SetupError(f"RAG_LLM__ENGINE__{name.upper()} is not an engine argument of this vLLM{hint}")
    ours = {"model": model, "worker_extension_cls": LEASH, **(_for_cpu(model, chosen) if on_cpu else {})}
    return ours | chosen


def _for_cpu(model: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """A prompt that is read whole must fit into one batch."""
    context = chosen.get("max_model_len") or min(_trained_context(model), CPU_CONTEXT_TOKENS)
    return {**CPU_DEFAULTS, "max_model_len": context, "max_num_batched_tokens": context}


def _trained_context(model: str) -> int:
    """Tokens of context that a local model's config.json names; the default where there is none."""
    try:
        config = json.loads((Path(model) / "config.json").read_text())
    except (OSError, ValueError):
        return CPU_CONTEXT_TOKENS
    return int((config.get("text_config") or config).get("max_position_embeddings") or CPU_CONTEXT_TOKENS)


def _value(value: Any) -> Any:
    """Environment variables are text: `4096`, `true`, `{"a": 1}` mean what JSON says, the rest stays text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value.lower() if value.lower() in ("true", "false", "null") else value)
    except ValueError:
        return value
