"""Splits the text of documents into passages. Pure functions: no settings, models or storage."""

from __future__ import annotations

from rag.chunkers.chunker import MAX_CHARS, Chunker
from rag.chunkers.parent_child import ParentChildChunker
from rag.chunkers.recursive import RecursiveChunker
from rag.chunkers.sentences import SentenceChunker
from rag.chunkers.strategy import (
    ChunkingStrategy,
    ParentChildStrategy,
    RecursiveStrategy,
    SentenceStrategy,
    StructureStrategy,
    TokenStrategy,
)
from rag.chunkers.structure import StructureChunker
from rag.chunkers.tokens import TokenChunker, TokenCounter
from rag.errors import InvalidRequest

__all__ = [
    "MAX_CHARS",
    "Chunker",
    "ChunkingStrategy",
    "ParentChildStrategy",
    "RecursiveStrategy",
    "SentenceStrategy",
    "StructureStrategy",
    "TokenCounter",
    "TokenStrategy",
    "chunker_for",
]


def chunker_for(strategy: ChunkingStrategy, tokenizer: TokenCounter | None) -> Chunker:
    """The chunker for a strategy.

    Args:
        tokenizer: The encoder's tokenizer, for `TokenStrategy`; see
            `rag.adapters.sentence_transformers.tokenization.tokenizer`.

    Raises:
        InvalidRequest: the strategy counts tokens, but the encoder has no tokenizer.
    """
    match strategy:
        case RecursiveStrategy(max_chars, overlap_chars):
            return RecursiveChunker(max_chars, overlap_chars)
        case SentenceStrategy(max_chars, overlap_sentences):
            return SentenceChunker(max_chars, overlap_sentences)
        case StructureStrategy(max_chars):
            return StructureChunker(max_chars)
        case ParentChildStrategy(child_chars=child_chars, parent_chars=parent_chars):
            return ParentChildChunker(child_chars, parent_chars)
        case TokenStrategy(max_tokens, overlap_tokens):
            if tokenizer is None:
                message = "chunking by tokens needs a tokenizer.json, which this embedding model does not have"
                hint = 'use a strategy that counts characters, such as {"type": "recursive"}'
                raise InvalidRequest(f"{message}; {hint}", param="chunking_strategy")
            return TokenChunker(tokenizer, max_tokens, overlap_tokens)
