"""The base of every section of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of options with a common prefix, such as `RAG_LLM__`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def listed(text: str) -> list[str]:
    """The values of an option that are separated by commas."""
    return [part for part in map(str.strip, text.split(",")) if part]
