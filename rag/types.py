"""The values that travel between layers. Frozen, standard library alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Vector: TypeAlias = Sequence[float]
Attributes: TypeAlias = Mapping[str, str | int | float | bool]
TextKind: TypeAlias = Literal["query", "passage"]
SearchMode: TypeAlias = Literal["hybrid", "dense", "keyword"]
Change: TypeAlias = Literal["added", "replaced", "unchanged"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document; it holds from `start` until the next heading's start."""

    start: int
    """Character offset in the document's text."""
    path: str
    """Titles from the outermost to this one, joined by ` > `."""


@dataclass(frozen=True, slots=True)
class Document:
    """The text of one uploaded file, ready to be cut into chunks."""

    file_id: str
    filename: str
    text: str
    content_hash: str
    """SHA-256 of the original bytes, in hex."""
    is_markdown: bool = False
    headings: tuple[Heading, ...] = ()
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document: `document.text[start:end]`."""

    chunk_id: str
    file_id: str
    filename: str
    text: str
    start: int
    end: int
    content_hash: str
    heading: str = ""
    page: int | None = None
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk that one search path found."""

    chunk: Chunk
    score: float
    """Dense: the cosine in [-1, 1]. Keyword: BM25, 0 or more. Higher is better on both."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that answers a query, after fusion."""

    chunk: Chunk
    score: float
    """In [0, 1], comparable within one query only; higher is better."""
    cosine: float | None = None
    """The dense score, when the dense path found it: comparable between queries."""
    ranks: Mapping[str, int] = field(default_factory=dict)
    """Rank, from 1, on each path that found it."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine is given, and the hits that went into it, best first."""

    token_ids: tuple[int, ...]
    sources: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TextPiece:
    """New text from the engine; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The engine's last word on a request."""

    finish_reason: str
    """`stop` or `length`, as vLLM names them."""
    usage: Usage


@dataclass(frozen=True, slots=True)
class IngestedFile:
    file_id: str
    filename: str
    change: Change
    chunks: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What the store holds of a file: one entry for each version found there."""

    content_hash: str
    chunks: int
    attributes: Attributes


JsonObject: TypeAlias = dict[str, Any]
