"""Options of the models' names: `RAG_MODELS__...`."""

from __future__ import annotations

from pydantic import Field, field_validator

from rag.config.section import Section


class ModelSettings(Section):
    """The names under which requests find the models."""

    aliases: dict[str, str] = Field(
        default_factory=dict,
        description="JSON: further names of models, each with the name of a served model; `*` in a name is any text, "
        'and the first match counts: {"text-embedding-*": "all-MiniLM-L6-v2", "*": "rag"}.',
    )

    @field_validator("aliases")
    @classmethod
    def _check_aliases(cls, aliases: dict[str, str]) -> dict[str, str]:
        if not all(alias and model for alias, model in aliases.items()):
            raise ValueError("names must not be empty")
        return aliases
