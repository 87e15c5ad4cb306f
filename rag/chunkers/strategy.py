"""Chunking strategies: which chunker splits a file, and into what sizes. Stored with each vector store and file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from rag.chunkers.chunker import MAX_CHARS
from rag.errors import InternalError, InvalidRequest
from rag.types import JsonObject

PARAM = "chunking_strategy"
MAX_QUESTIONS = 8
_MIN_CHARS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _BaseStrategy:
    """The options of all strategies."""

    questions: int | None = None
    """Question-answer pairs that the language model generates for each passage; None if not specified."""


@dataclass(frozen=True, slots=True)
class TokenStrategy(_BaseStrategy):
    """OpenAI's `static`, with OpenAI's names and defaults.

    A passage may exceed the encoder's input length (256 tokens for all-MiniLM-L6-v2): its vector then represents only
    the beginning, while keyword search and the language model use all of it.
    """

    max_chunk_size_tokens: int = 800
    chunk_overlap_tokens: int = 400


@dataclass(frozen=True, slots=True)
class RecursiveStrategy(_BaseStrategy):
    """Paragraphs, lines, sentences or words; see `rag.chunkers.recursive`."""

    max_chars: int = 512
    overlap_chars: int = 51


@dataclass(frozen=True, slots=True)
class SentenceStrategy(_BaseStrategy):
    """Whole sentences; see `rag.chunkers.sentences`."""

    max_chars: int = 512
    overlap_sentences: int = 1


@dataclass(frozen=True, slots=True)
class StructureStrategy(_BaseStrategy):
    """Along headings, lists, tables and code; see `rag.chunkers.structure`."""

    max_chars: int = 1_024


@dataclass(frozen=True, slots=True)
class ParentChildStrategy(_BaseStrategy):
    """Small passages with their surrounding text; see `rag.chunkers.parent_child`."""

    parent_chars: int = 2_048
    child_chars: int = 384


ChunkingStrategy: TypeAlias = (
    TokenStrategy | RecursiveStrategy | SentenceStrategy | StructureStrategy | ParentChildStrategy
)
_Sizes: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Size:
    """A size option of a strategy. Its upper bound and default may depend on the options before it."""

    name: str
    low: int
    high: Callable[[_Sizes], int]
    default: Callable[[_Sizes], int]


def _max_chars(default: int, *, name: str = "max_chars", low: int = _MIN_CHARS) -> _Size:
    return _Size(name, low, lambda _: MAX_CHARS, lambda _: default)


_FORMS: Mapping[str, tuple[type[ChunkingStrategy], tuple[_Size, ...]]] = {
    "static": (
        TokenStrategy,
        (
            _Size("max_chunk_size_tokens", 100, lambda _: 4_096, lambda _: 800),
            _Size(
                "chunk_overlap_tokens",
                0,
                lambda sizes: sizes["max_chunk_size_tokens"] // 2,
                lambda sizes: min(400, sizes["max_chunk_size_tokens"] // 2),
            ),
        ),
    ),
    "recursive": (
        RecursiveStrategy,
        (
            _max_chars(512),
            _Size("overlap_chars", 0, lambda sizes: sizes["max_chars"] // 2, lambda sizes: sizes["max_chars"] // 10),
        ),
    ),
    "sentences": (
        SentenceStrategy,
        (_max_chars(512), _Size("overlap_sentences", 0, lambda _: 10, lambda _: 1)),
    ),
    "structure": (StructureStrategy, (_max_chars(1_024),)),
    "parent_child": (
        ParentChildStrategy,
        (
            _max_chars(2_048, name="parent_chars", low=2 * _MIN_CHARS),
            _Size(
                "child_chars",
                _MIN_CHARS,
                lambda sizes: sizes["parent_chars"] // 2,
                lambda sizes: min(384, sizes["parent_chars"] // 2),
            ),
        ),
    ),
}


def parse(data: object, default: ChunkingStrategy) -> ChunkingStrategy:
    """Parse a request's `chunking_strategy`: OpenAI's `auto` and `static`, or one of this service's own.

    The own ones look like `static`: `{"type": "recursive", "recursive": {"max_chars": 512}}`. The defaults of omitted
    sizes depend on the given ones. Each strategy may have `"questions": 2` next to its type.

    Args:
        data: The parsed JSON; None if the request has none.
        default: Used for `auto` and None; its `questions` apply to requests that do not specify them.

    Raises:
        InvalidRequest: `param` is the invalid field's path, such as `chunking_strategy.static.chunk_overlap_tokens`.
    """
    if data is None:
        return default
    known = ", ".join(("auto", *_FORMS))
    if not isinstance(data, dict):
        raise InvalidRequest(f"{PARAM} must be an object with a type, one of: {known}", param=PARAM)
    kind = data.get("type")
    if kind == "auto":
        _refuse_unknown(data, ("type",), PARAM)
        return default
    if not isinstance(kind, str) or kind not in _FORMS:
        raise InvalidRequest(f"{PARAM}.type must be one of: {known}", param=f"{PARAM}.type")
    _refuse_unknown(data, ("type", kind, "questions"), PARAM)
    strategy, sizes = _FORMS[kind]
    parsed = strategy(**_parsed_sizes(data.get(kind, {}), sizes, f"{PARAM}.{kind}"))
    questions = _whole_number(data.get("questions"), 0, MAX_QUESTIONS, f"{PARAM}.questions")
    return replace(parsed, questions=default.questions if questions is None else questions)


def to_json(strategy: ChunkingStrategy) -> JsonObject:
    """The JSON that is stored: as in a request, with all sizes."""
    kind, sizes = _kind(strategy), asdict(strategy)
    questions = sizes.pop("questions")
    return {"type": kind, kind: sizes} | ({} if questions is None else {"questions": questions})


def from_json(data: Mapping[str, Any]) -> ChunkingStrategy:
    """Parse the output of `to_json`. The sizes were validated before they were stored."""
    try:
        kind = data["type"]
        strategy, _ = _FORMS[kind]
        return strategy(**data[kind], questions=data.get("questions"))
    except (KeyError, TypeError) as error:
        raise InternalError(
            "cannot parse a stored chunking strategy; it may have been stored by a newer version"
        ) from error


def to_wire(strategy: ChunkingStrategy) -> JsonObject:
    """As in OpenAI's responses: `static`, or for the own strategies `other` with additional keys."""
    stored = to_json(strategy)
    if isinstance(strategy, TokenStrategy):
        return stored
    return stored | {"type": "other", "strategy": stored["type"]}


def _kind(strategy: ChunkingStrategy) -> str:
    return next(kind for kind, (cls, _) in _FORMS.items() if isinstance(strategy, cls))


def _parsed_sizes(data: object, sizes: tuple[_Size, ...], path: str) -> dict[str, int]:
    if not isinstance(data, dict):
        raise InvalidRequest(f"{path} must be an object", param=path)
    _refuse_unknown(data, tuple(size.name for size in sizes), path)
    parsed: dict[str, int] = {}
    for size in sizes:
        value = _whole_number(data.get(size.name), size.low, size.high(parsed), f"{path}.{size.name}")
        parsed[size.name] = size.default(parsed) if value is None else value
    return parsed


def _whole_number(value: object, low: int, high: int, field: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise InvalidRequest(f"{field} must be a whole number from {low} to {high}", param=field)


def _refuse_unknown(data: Mapping[str, object], known: tuple[str, ...], path: str) -> None:
    unknown = next((key for key in data if key not in known), None)
    if unknown is not None:
        field = f"{path}.{str(unknown)[:80]}"
        raise InvalidRequest(f"{field} is unknown; known fields: {', '.join(known)}", param=field)
