"""Chunking strategies in requests and responses."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypeAliasType

from rag.chunkers import strategy
from rag.chunkers.chunker import MAX_CHARS
from rag.chunkers.strategy import MAX_QUESTIONS
from rag.http.fields.fail_fast import StrictModel
from rag.records import Strategy
from rag.types import JsonObject

_DEFAULT = strategy.RecursiveStrategy()
"""Stands for `auto`: the library decides which strategy is the default."""
_MaxChars = Annotated[int, Field(ge=64, le=MAX_CHARS)]


class AutoChunking(StrictModel):
    """The vector store's own strategy, or else the service's."""

    type: Literal["auto"]


class _Chunking(StrictModel):
    questions: int | None = Field(
        None, ge=0, le=MAX_QUESTIONS, description="Question-answer pairs that the language model writes for each chunk."
    )


class TokenSizes(StrictModel):
    max_chunk_size_tokens: int | None = Field(None, ge=100, le=4096)
    chunk_overlap_tokens: int | None = Field(None, ge=0, le=2048, description="At most half of the chunk size.")


class StaticChunking(_Chunking):
    """OpenAI's `static`: chunks of a fixed number of tokens."""

    type: Literal["static"]
    static: TokenSizes = TokenSizes()


class RecursiveSizes(StrictModel):
    max_chars: _MaxChars | None = None
    overlap_chars: int | None = Field(None, ge=0, le=MAX_CHARS // 2, description="At most half of `max_chars`.")


class RecursiveChunking(_Chunking):
    """Splits at the largest separator that fits: paragraph, line, sentence, word."""

    type: Literal["recursive"]
    recursive: RecursiveSizes = RecursiveSizes()


class SentenceSizes(StrictModel):
    max_chars: _MaxChars | None = None
    overlap_sentences: int | None = Field(None, ge=0, le=10)


class SentenceChunking(_Chunking):
    """Chunks of whole sentences."""

    type: Literal["sentences"]
    sentences: SentenceSizes = SentenceSizes()


class StructureSizes(StrictModel):
    max_chars: _MaxChars | None = None


class StructureChunking(_Chunking):
    """Chunks that follow the document's headings, tables and code blocks."""

    type: Literal["structure"]
    structure: StructureSizes = StructureSizes()


class ParentChildSizes(StrictModel):
    parent_chars: int | None = Field(None, ge=128, le=MAX_CHARS)
    child_chars: int | None = Field(None, ge=64, le=MAX_CHARS // 2, description="At most half of `parent_chars`.")


class ParentChildChunking(_Chunking):
    """Small chunks are searched; the large chunk around each is what the language model reads."""

    type: Literal["parent_child"]
    parent_child: ParentChildSizes = ParentChildSizes()


_AnyChunking: TypeAlias = (
    AutoChunking | StaticChunking | RecursiveChunking | SentenceChunking | StructureChunking | ParentChildChunking
)
ChunkingStrategyParam = TypeAliasType(
    "ChunkingStrategyParam",
    Annotated[
        _AnyChunking,
        Field(
            discriminator="type",
            description="How files are split into chunks. Defaults of omitted sizes depend on those that are given.",
            json_schema_extra={"example": {"type": "auto"}},
        ),
    ],
)


class StaticSizes(BaseModel):
    max_chunk_size_tokens: int
    chunk_overlap_tokens: int


class StoredStaticChunking(BaseModel):
    """OpenAI's `static`."""

    model_config = ConfigDict(extra="allow")

    type: Literal["static"]
    static: StaticSizes


class StoredOtherChunking(BaseModel):
    """A strategy that OpenAI's API does not have, with all its sizes under the strategy's name."""

    model_config = ConfigDict(extra="allow")

    type: Literal["other"]
    strategy: Literal["recursive", "sentences", "structure", "parent_child"]


StoredChunkingStrategy: TypeAlias = Annotated[StoredStaticChunking | StoredOtherChunking, Field(discriminator="type")]
_STORED: TypeAdapter[StoredChunkingStrategy] = TypeAdapter(StoredChunkingStrategy)


def from_wire(chunking: ChunkingStrategyParam | None) -> Strategy | None:
    """The strategy as the library stores it; None for `auto` and for no strategy.

    Raises:
        InvalidRequest: an overlap or child size is too large for the chunk size.
    """
    parsed = strategy.parse(None if chunking is None else chunking.model_dump(exclude_unset=True), _DEFAULT)
    return None if parsed is _DEFAULT else strategy.to_json(parsed)


def to_wire(stored: Strategy | None) -> StoredChunkingStrategy | None:
    return None if stored is None else _STORED.validate_python(to_json(stored))


def to_json(stored: Strategy) -> JsonObject:
    return strategy.to_wire(strategy.from_json(stored))
