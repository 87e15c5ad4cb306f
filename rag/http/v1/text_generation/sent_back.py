"""Assistant messages that a client sends back, possibly with additional fields."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

SENT_BACK = ConfigDict(extra="ignore")
"""Configuration of a model whose unknown fields are ignored."""


def known_fields(model: type[BaseModel], data: Mapping[str, object]) -> dict[str, object]:
    """The data without fields that the model does not have."""
    return {name: value for name, value in data.items() if name in model.model_fields}
