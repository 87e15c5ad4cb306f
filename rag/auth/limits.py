"""Limits of an API key, or of all requests of a tenant together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, Self, TypeAlias

Quota: TypeAlias = Literal[
    "max_vector_stores",
    "max_documents",
    "max_stored_bytes",
    "max_unfinished_jobs",
    "max_kept_bytes",
    "max_unfinished_responses",
]
"""A limit of what is stored. The catalog counts it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key or tenant may use; None means no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Counts the prompts and completions of the language model, embeddings and reranking."""
    tokens_per_day: int | None = None
    max_vector_stores: int | None = None
    max_documents: int | None = None
    """The limit for all vector stores together."""
    max_stored_bytes: int | None = None
    """The size of all uploaded files."""
    max_unfinished_jobs: int | None = None
    max_kept_bytes: int | None = None
    """The size of all kept responses, chat completions and conversations."""
    max_unfinished_responses: int | None = None
    """Counts background responses."""

    @classmethod
    def from_json(cls, values: Mapping[str, int | None]) -> Self:
        """Names of other limits, from another release, are ignored."""
        return cls(**{field.name: values.get(field.name) for field in fields(cls)})

    def to_json(self) -> dict[str, int]:
        """The limits that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Subject:
    """An API key or a tenant, whose use is counted."""

    kind: Literal["key", "tenant"]
    id: str
    limits: Limits

    def __str__(self) -> str:
        return "the API key" if self.kind == "key" else f"the tenant {self.id!r}"
