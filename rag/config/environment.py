"""Reads the settings from the environment."""

from __future__ import annotations

import difflib
import json
import os

from pydantic import ValidationError
from pydantic_settings import SettingsError

from rag.config.options import option_names, takes_json_object
from rag.config.settings import Settings
from rag.errors import SetupError


def load() -> Settings:
    """Settings from the environment.

    Raises:
        SetupError: a variable is not an option (names the most similar one), or its value is invalid.
    """
    _refuse_unknown_names()
    try:
        return _with_otlp_endpoint(Settings())
    except ValidationError as error:
        lines = [
            f"RAG_{'__'.join(str(p) for p in e['loc']).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_input=False)
        ]
        raise SetupError("; ".join(lines)) from error
    except SettingsError as error:
        name = next(filter(_is_bad_json, option_names()), "RAG_LLM__ENGINE")
        raise SetupError(f"{name}: must be a JSON object", param=name) from error


def _with_otlp_endpoint(settings: Settings) -> Settings:
    """The settings with OpenTelemetry's own variable as the default of `RAG_SERVER__OTLP_ENDPOINT`."""
    endpoint = settings.server.otlp_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or None
    return settings.model_copy(update={"server": settings.server.model_copy(update={"otlp_endpoint": endpoint})})


def _is_bad_json(name: str) -> bool:
    """Whether this option takes a JSON object and is set to something else."""
    if not takes_json_object(name) or name not in os.environ:
        return False
    try:
        return not isinstance(json.loads(os.environ[name]), dict)
    except ValueError:
        return True


def _refuse_unknown_names() -> None:
    known = option_names()
    if "RAG_LLM__ENGINE" in os.environ and any(name.upper().startswith("RAG_LLM__ENGINE__") for name in os.environ):
        raise SetupError("set either RAG_LLM__ENGINE (JSON) or one RAG_LLM__ENGINE__... per argument, not both")
    for name in os.environ:
        upper = name.upper()
        if not upper.startswith("RAG_") or upper in known or upper.startswith("RAG_LLM__ENGINE__"):
            continue
        similar = difflib.get_close_matches(upper, known, n=1)
        hint = f"; did you mean {similar[0]}?" if similar else ""
        raise SetupError(f"{name} is not an option of this service{hint}", param=name)
