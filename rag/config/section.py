"""The base of every section of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of options with a common prefix, such as `RAG_LLM__`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
