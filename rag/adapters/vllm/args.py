"""Converts settings to keyword arguments of vLLM's AsyncEngineArgs."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue, ValidationError

from rag.config import LLMSettings
from rag.errors import SetupError

CPU_DEFAULTS: Mapping[str, JsonValue] = {
    "enforce_eager": True,
    "max_num_seqs": 80,
    "enable_chunked_prefill": False,
    "block_size": 32,
}
"""Compilation takes minutes at the start and gains nothing on a CPU; 80 concurrent texts are plenty there: 64 for one
caller, and the headroom for others. Chunked prefill would kill the engine (docs/bentoml_issues.md#v1).

The prefix cache serves whole blocks. vLLM's blocks of 128 tokens on a CPU are longer than the system prompt and as long
as most prompts of quoted answers; blocks must be multiples of 32, or attention is slow."""
CPU_WORKER = "rag.adapters.vllm.cpu_worker.CpuWorkerExtension"
CPU_CONTEXT_TOKENS = 8192
"""Default context length on a CPU: a longer one would not fit into the default key-value cache."""
STRUCTURES = "guidance"
"""The default backend of structured outputs."""
_COMPACT = ("guidance", "xgrammar")
"""Backends that can write JSON without blanks."""
RUNTIME_ADAPTERS = 16
"""Number of adapters that can be loaded at run time, in addition to those of the settings."""
_BRACKETS = re.compile(r"\[[^][]*\]")
PARENT_WATCHDOG = "rag.adapters.vllm.parent_watchdog.ParentWatchdog"


def engine_arguments(model: str, settings: LLMSettings, *, on_cpu: bool, known: type) -> dict[str, JsonValue]:
    """The arguments to start the engine with. What the user has set takes precedence over the defaults.

    Args:
        known: vLLM's AsyncEngineArgs, whose fields are the valid names.

    Raises:
        SetupError: vLLM has no argument of this name (names the most similar one), or a value is text where vLLM
            expects a JSON object.
    """
    chosen = chosen_arguments(settings)
    fields = {field.name: field.type for field in dataclasses.fields(known)}
    for name, value in chosen.items():
        if name not in fields:
            similar = difflib.get_close_matches(name, fields, n=1)
            hint = f"; did you mean {option_of(similar[0])}?" if similar else ""
            message = f"{option_of(name)} is not an engine argument of this vLLM{hint}"
            raise SetupError(message, param=option_of(name))
        if isinstance(value, str) and _is_object(fields[name]):
            raise SetupError(f"{option_of(name)}: must be a JSON object", param=option_of(name))
    ours: dict[str, JsonValue] = {"model": model, "worker_extension_cls": PARENT_WATCHDOG, **_for_adapters(settings)}
    return {**ours, **(_for_cpu(model, chosen) if on_cpu else {}), **chosen, **_structure(chosen)}


def chosen_arguments(settings: LLMSettings) -> dict[str, JsonValue]:
    """The arguments that the user has set, by vLLM's names."""
    return {name.lower(): _value(value) for name, value in settings.engine.items()}


def served_names(model: str, settings: LLMSettings) -> list[str]:
    """The names of the language model in requests; the first one is its name in responses.

    Raises:
        SetupError: `served_model_name` is not a string or list of strings, or contains a name that is taken.
    """
    chosen = chosen_arguments(settings).get("served_model_name")
    names = chosen if isinstance(chosen, list) else [chosen]
    if not chosen:
        return [settings.model or Path(model).name]
    option = option_of("served_model_name")
    valid = [name for name in names if isinstance(name, str) and name]
    if len(valid) != len(names):
        raise SetupError(f"{option}: must be a name or a JSON list of names", param=option)
    for name in valid:
        if name.partition(":")[0] == "rag" or name in settings.adapters:
            user = "an adapter" if name in settings.adapters else "answers from documents"
            raise SetupError(
                f"{option}: {name!r} cannot name the language model: it is the name of {user}", param=option
            )
    return list(dict.fromkeys(valid))


def option_of(name: str) -> str:
    """The environment variable of an engine argument."""
    return f"RAG_LLM__ENGINE__{name.upper()}"


def refused_argument(error: Exception, chosen: Mapping[str, JsonValue]) -> SetupError:
    """The error for a value that vLLM refuses, in one line that names the option."""
    details = error.errors() if isinstance(error, ValidationError) else []
    text = details[0]["msg"] if details else f"{type(error).__name__}: {error}"
    place = str(details[0]["loc"][0]) if details and details[0]["loc"] else ""
    names = [name.lower() for name in chosen]
    name = place or next((name for name in names if name in text), names[0] if len(names) == 1 else "")
    option = option_of(name) if name else "RAG_LLM__ENGINE"
    return SetupError(f"{option}: {' '.join(text.removeprefix('Value error, ').split())[:500]}", param=option)


def _is_object(annotation: object) -> bool:
    """Whether a field takes objects and no strings. vLLM's own message on a string there speaks of its code."""
    text = str(annotation)  # some annotations are strings, with names that only a type checker resolves
    while (shorter := _BRACKETS.sub("", text)) != text:
        text = shorter
    kinds = {kind.strip() for kind in text.split("|")}
    return "dict" in kinds and "str" not in kinds


def _structure(chosen: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A fixed backend of structured outputs, unless the user chose one (docs/bentoml_issues.md#v5). JSON has no blanks
    between its parts, because small models write them without end.
    """
    configured = chosen.get("structured_outputs_config")
    if configured is not None and not isinstance(configured, dict):
        return {}
    config: dict[str, JsonValue] = {"backend": STRUCTURES, **(configured or {})}
    compact = {"disable_any_whitespace": True} if config["backend"] in _COMPACT else {}
    return {"structured_outputs_config": {**compact, **config}}


def _for_adapters(settings: LLMSettings) -> dict[str, JsonValue]:
    """Empty if there can be no adapters, since they cost memory."""
    if not settings.adapters and not settings.runtime_adapters:
        return {}
    listed, more = len(settings.adapters), RUNTIME_ADAPTERS if settings.runtime_adapters else 0
    per_batch = min(max(listed, 4 if more else 1), 8)
    return {
        "enable_lora": True,
        "max_loras": per_batch,
        "max_cpu_loras": max(listed + more, per_batch),
    }


def _for_cpu(model: str, chosen: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Without chunked prefill a prompt must fit into one batch."""
    context = chosen.get("max_model_len") or min(_trained_context(model), CPU_CONTEXT_TOKENS)
    sizes: dict[str, JsonValue] = {"max_model_len": context, "max_num_batched_tokens": context}
    return {**CPU_DEFAULTS, "worker_extension_cls": CPU_WORKER, **sizes}


def _trained_context(model: str) -> int:
    """The context length in a local model's config.json; the default if there is none."""
    try:
        config = json.loads((Path(model) / "config.json").read_text())
    except (OSError, ValueError):
        return CPU_CONTEXT_TOKENS
    return int((config.get("text_config") or config).get("max_position_embeddings") or CPU_CONTEXT_TOKENS)


def _value(value: JsonValue) -> JsonValue:
    """The value of an environment variable, which is read as JSON if it is JSON (`4096`, `true`, `{"a": 1}`)."""
    if not isinstance(value, str):
        return value
    try:
        parsed: JsonValue = json.loads(value.lower() if value.lower() in ("true", "false", "null") else value)
        return parsed
    except ValueError:
        return value
