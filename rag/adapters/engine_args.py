"""Settings -> keyword arguments of vLLM's AsyncEngineArgs."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from typing import Any

from rag.config import LLMSettings
from rag.errors import SetupError

CPU_DEFAULTS: Mapping[str, Any] = {"enforce_eager": True, "max_num_seqs": 64}
"""Compilation takes minutes to start and gains nothing on a CPU; 64 streams at once are plenty there."""
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
    ours = {"model": model, "worker_extension_cls": LEASH, **(CPU_DEFAULTS if on_cpu else {})}
    return ours | chosen


def _value(value: Any) -> Any:
    """Environment variables are text: `4096`, `true`, `{"a": 1}` mean what JSON says, the rest stays text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value.lower() if value.lower() in ("true", "false", "null") else value)
    except ValueError:
        return value
