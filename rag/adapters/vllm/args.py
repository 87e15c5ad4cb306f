"""Settings -> keyword arguments of vLLM's AsyncEngineArgs."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
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
STRUCTURES = "xgrammar"
"""What compiles schemas, expressions and grammars unless the user chooses another of vLLM's ways."""
RUNTIME_ADAPTERS = 16
"""Adapters that can be loaded at run time, besides those of the settings."""
_BRACKETS = re.compile(r"\[[^][]*\]")
PARENT_WATCHDOG = "rag.adapters.vllm.parent_watchdog.ParentWatchdog"
LORA_WORKER_EXTENSION = "rag.adapters.vllm.lora_worker.LoraWorkerExtension"


def engine_arguments(model: str, settings: LLMSettings, *, on_cpu: bool, known: type) -> dict[str, Any]:
    """What the engine is started with; what the user set wins.

    Args:
        known: vLLM's AsyncEngineArgs, whose fields are the names that exist.

    Raises:
        SetupError: a name that vLLM does not know, with the nearest that it does, or text in place of a JSON object.
    """
    chosen = {name.lower(): _value(value) for name, value in settings.engine.items()}
    fields = {field.name: field.type for field in dataclasses.fields(known)}
    for name, value in chosen.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"; did you mean {option_of(near[0])}?" if near else ""
            message = f"{option_of(name)} is not an engine argument of this vLLM{hint}"
            raise SetupError(message, param=option_of(name))
        if isinstance(value, str) and _is_object(fields[name]):
            raise SetupError(f"{option_of(name)}: is not a JSON object", param=option_of(name))
    ours = {"model": model, "worker_extension_cls": PARENT_WATCHDOG, **_for_adapters(settings)}
    return {**ours, **(_for_cpu(model, chosen) if on_cpu else {}), **chosen, **_structure(chosen)}


def served_names(model: str, settings: LLMSettings) -> list[str]:
    """What requests call the language model, the name that answers have first.

    Raises:
        SetupError: `served_model_name` is no text and no list of texts, or has a name that means something else.
    """
    chosen = {name.lower(): _value(value) for name, value in settings.engine.items()}.get("served_model_name")
    names: list[Any] = chosen if isinstance(chosen, list) else [chosen]
    if not chosen:
        return [settings.model or Path(model).name]
    option = option_of("served_model_name")
    if not all(isinstance(name, str) and name for name in names):
        raise SetupError(f"{option}: is not a name, nor a JSON list of names", param=option)
    for name in names:
        if name.partition(":")[0] == "rag" or name in settings.adapters:
            whose = "an adapter has it" if name in settings.adapters else "it answers from documents"
            raise SetupError(f"{option}: {name!r} is no name for the language model: {whose}", param=option)
    return list(dict.fromkeys(names))


def option_of(name: str) -> str:
    """The environment variable of an engine argument."""
    return f"RAG_LLM__ENGINE__{name.upper()}"


def refused_argument(error: Exception, chosen: Mapping[str, Any]) -> SetupError:
    """What vLLM says of a value, in one line that names the option."""
    details: Any = getattr(error, "errors", list)()
    text = details[0]["msg"] if details else f"{type(error).__name__}: {error}"
    place = str(details[0]["loc"][0]) if details and details[0]["loc"] else ""
    names = [name.lower() for name in chosen]
    name = place or next((name for name in names if name in text), names[0] if len(names) == 1 else "")
    option = option_of(name) if name else "RAG_LLM__ENGINE"
    return SetupError(f"{option}: {' '.join(text.removeprefix('Value error, ').split())[:500]}", param=option)


def _is_object(annotation: Any) -> bool:
    """Whether a field takes objects and no text; vLLM's own words on text there are about its code."""
    text = str(annotation)  # some are text, of names that only a type checker sees
    while (shorter := _BRACKETS.sub("", text)) != text:
        text = shorter
    kinds = {kind.strip() for kind in text.split("|")}
    return "dict" in kinds and "str" not in kinds


def _structure(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """One way of compiling structures, where the user chose none.

    vLLM chooses for each request, but its engine keeps to the first: another request's schema would then be compiled
    by one that leaves out what it does not know, and the text would not follow it.
    """
    set_ = chosen.get("structured_outputs_config")
    if set_ is not None and not isinstance(set_, dict):
        return {}
    return {"structured_outputs_config": {"backend": STRUCTURES, **(set_ or {})}}


def _for_adapters(settings: LLMSettings) -> dict[str, Any]:
    """Nothing where there can be none: they cost memory."""
    if not settings.adapters and not settings.runtime_adapters:
        return {}
    listed, more = len(settings.adapters), RUNTIME_ADAPTERS if settings.runtime_adapters else 0
    together = min(max(listed, 4 if more else 1), 8)
    room = {"max_loras": together, "max_cpu_loras": max(listed + more, together)}
    return {"enable_lora": True, **room, "worker_extension_cls": LORA_WORKER_EXTENSION}


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
