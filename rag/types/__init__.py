"""The values that are passed between layers: frozen, made of the standard library alone."""

from __future__ import annotations

from rag.types.documents import Attributes, Change, Extract, Heading, PageStart, Pair, PassagePairs
from rag.types.encoding import LongTexts, SparseVector, TextKind, TokenCounts, TokenIds
from rag.types.generation import SamplingParameters, StreamEnd, TextDelta, TextEnd, TokenLogprob, Usage
from rag.types.json import Facts, JsonMapping, JsonObject
from rag.types.passages import Chunk, Passage, chunk_id_of, passage_text, readable_text
from rag.types.places import Rectangle, TextRun
from rag.types.prompts import (
    AnswerStyle,
    Chat,
    Message,
    ModelInput,
    PreparedPrompt,
    Prompt,
    Quotation,
    Quote,
    QuoteChoice,
)
from rag.types.retrieval import FilterObject, Hit, Match, RerankKind, SearchMode
from rag.types.tool_outputs import KnownPassage, SearchOutput
from rag.types.tool_servers import ServerTool, ToolAnswer, ToolServer

__all__ = [
    "AnswerStyle",
    "Attributes",
    "Change",
    "Chat",
    "Chunk",
    "Extract",
    "Facts",
    "FilterObject",
    "Heading",
    "Hit",
    "JsonMapping",
    "JsonObject",
    "KnownPassage",
    "LongTexts",
    "Match",
    "Message",
    "ModelInput",
    "PageStart",
    "Pair",
    "Passage",
    "PassagePairs",
    "PreparedPrompt",
    "Prompt",
    "Quotation",
    "Quote",
    "QuoteChoice",
    "Rectangle",
    "RerankKind",
    "SamplingParameters",
    "SearchMode",
    "SearchOutput",
    "ServerTool",
    "SparseVector",
    "StreamEnd",
    "TextDelta",
    "TextEnd",
    "TextKind",
    "TextRun",
    "TokenCounts",
    "TokenIds",
    "TokenLogprob",
    "ToolAnswer",
    "ToolServer",
    "Usage",
    "chunk_id_of",
    "passage_text",
    "readable_text",
]
