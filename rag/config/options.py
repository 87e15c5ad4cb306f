"""The list of all options: their names, defaults and descriptions."""

from __future__ import annotations

import json
from typing import NamedTuple

from pydantic.fields import FieldInfo

from rag.config.section import Section
from rag.config.settings import Settings


def option_names() -> list[str]:
    """The names of all options. vLLM's engine arguments follow `RAG_LLM__ENGINE__` under their own names."""
    return [name for name, _, _ in options()]


def options() -> list[tuple[str, str, str]]:
    """Every option as (name, default, description), in the order of the sections, for the table in the docs."""
    return [(option.name, _shown(option.default), option.description) for option in _options()]


def takes_json_object(name: str) -> bool:
    """Whether the value of this option is a JSON object."""
    return any(option.name == name and isinstance(option.default, dict) for option in _options())


class _Option(NamedTuple):
    name: str
    default: object
    description: str


def _options() -> list[_Option]:
    rows: list[_Option] = []
    for name, info in Settings.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, Section):
            rows += [_option(f"RAG_{name}__{option}", field) for option, field in section.model_fields.items()]
        else:
            rows.append(_option(f"RAG_{name}", info))
    return rows


def _option(name: str, field: FieldInfo) -> _Option:
    return _Option(name.upper(), field.get_default(call_default_factory=True), field.description or "")


def _shown(default: object) -> str:
    if default is None or default == {}:
        return ""
    return json.dumps(default) if isinstance(default, dict) else str(default)
