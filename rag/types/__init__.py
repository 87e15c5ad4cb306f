"""The values that are passed between layers: frozen, made of the standard library alone."""

from __future__ import annotations

from rag.types.documents import Attributes, Change, Extract, Heading, PageStart, Pair, PassagePairs, ReadingWarning
from rag.types.encoding import LongTexts, SparseVector, TextKind, TokenCounts, TokenIds
from rag.types.generation import (
    ReasoningDelta,
    SamplingParameters,
    StreamEnd,
    StreamItem,
    TextDelta,
    TextEnd,
    TokenLogprob,
    Usage,
)
from rag.types.images import ImageLimits
from rag.types.json import Facts, JsonMapping, JsonObject
from rag.types.passages import Chunk, Passage, chunk_id_of, passage_text, readable_text
from rag.types.places import Rectangle, TextRun
from rag.types.prompts import (
    REASONING,
    AnswerStyle,
    Chat,
    Insertion,
    Message,
    ModelInput,
    PreparedPrompt,
    Prompt,
    Quotation,
    Quote,
    QuoteChoice,
    RenderedChat,
)
from rag.types.retrieval import FilterObject, Hit, Match, RerankKind, SearchMode
from rag.types.tool_outputs import KnownPassage, SearchOutput
from rag.types.tool_servers import ServerTool, ToolAnswer, ToolServer

__all__ = [
    "REASONING",
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
    "ImageLimits",
    "Insertion",
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
    "ReadingWarning",
    "ReasoningDelta",
    "Rectangle",
    "RenderedChat",
    "RerankKind",
    "SamplingParameters",
    "SearchMode",
    "SearchOutput",
    "ServerTool",
    "SparseVector",
    "StreamEnd",
    "StreamItem",
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
