"""The values that travel between layers. Frozen, standard library alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
Vector: TypeAlias = Sequence[float]
SparseVector: TypeAlias = Mapping[int, float]
"""Weights, more than 0, of the terms that count; terms are numbers of a model's vocabulary."""
Attributes: TypeAlias = Mapping[str, str | int | float | bool]
TextKind: TypeAlias = Literal["query", "passage"]
TokenIds: TypeAlias = Sequence[int]
"""Of a model's own tokenizer."""
SearchMode: TypeAlias = Literal["hybrid", "dense", "keyword", "sparse"]
"""`hybrid`: all paths that there are."""
RerankKind: TypeAlias = Literal["late_interaction", "cross_encoder"]
"""Ways of reranking with a model of our own: the encoder's token vectors, or one that reads both texts together."""
Change: TypeAlias = Literal["added", "replaced", "unchanged"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document; it holds from `start` until the next heading's start."""

    start: int
    """Character offset in the document's text."""
    path: str
    """Titles from the outermost to this one, joined by ` > `."""


@dataclass(frozen=True, slots=True)
class PageStart:
    """A page of a document; it holds from `start` until the next page's start."""

    start: int
    """Character offset in the document's text."""
    number: int
    """As a reader counts: from 1. Slides and sheets count as pages."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class PassagePairs:
    """What a language model made of one passage of a document."""

    start: int
    """Of the passage, as `end`: character offsets in the document's text."""
    end: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Extract:
    """What a reader found in a file. Offsets refer to `text`; `headings` and `pages` ascend."""

    text: str
    media_type: str
    """What the file is by its content, such as `application/pdf`."""
    is_markdown: bool = False
    headings: tuple[Heading, ...] = ()
    pages: tuple[PageStart, ...] = ()
    """Empty for files that have no pages."""
    title: str = ""
    """Of the document, where the file says."""
    language: str = ""
    """BCP 47 tag, such as `en` or `de-AT`, where the file says."""
    pairs: tuple[PassagePairs, ...] | None = None
    """Of its passages in their order, where a language model was asked for them."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of an extract: `extract.text[start:end] == text`. What a chunker makes; a chunk once it has an id."""

    text: str
    start: int
    end: int
    heading: str = ""
    page: int | None = None
    context: str = ""
    """The larger text around it that the language model gets in its place; empty: the passage itself."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of one version of a document."""

    chunk_id: str
    """`{version_id}-{ordinal:06d}`"""
    version_id: str
    """Of the document: its text, attributes and way of being cut, as one change made them."""
    file_id: str
    filename: str
    text: str
    start: int
    """Character offset in the document's text."""
    end: int
    heading: str = ""
    page: int | None = None
    context: str = ""
    """The larger text around it that the language model gets in its place; empty: `text`."""
    attributes: Attributes = field(default_factory=dict)


def passage_text(piece: Passage | Chunk) -> str:
    """What the encoder and the keyword index see: the text under its heading's path."""
    return f"{piece.heading}\n{piece.text}" if piece.heading else piece.text


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk that one search path found."""

    chunk: Chunk
    score: float
    """Dense: the cosine in [-1, 1]. Keyword: BM25, sparse: the inner product, both 0 or more. Higher is better."""


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
    scores: Mapping[str, float] = field(default_factory=dict)
    """What each path itself gave it."""
    fused: float | None = None
    """The score after fusion, where a reranker changed it later."""
    rerank: float | None = None
    """What the reranker alone gave it, in [0, 1]."""
    duplicates: tuple[str, ...] = ()
    """Chunk ids of passages that say the same, and that this one stands for."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """How long texts are for an encoder."""

    tokens: tuple[int, ...]
    """Of each whole text, with the prefix of its kind and the model's own marks."""
    max_tokens: int | None
    """That the model reads of one text, its beginning; None: all of it."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation that the language model shall go on with; its own chat template makes a prompt of it."""

    messages: tuple[JsonObject, ...]
    """As OpenAI's API has them, contents as plain texts; `tool_calls` hold their arguments as text."""
    tools: tuple[JsonObject, ...] = ()
    """Functions that it may call, as OpenAI's API has them."""
    template_values: Mapping[str, Any] = field(default_factory=dict)
    """Further variables of the chat template."""
    calls_tools: bool = False
    """Whether the model decides to call functions: its calls are then told from its text."""


ModelInput: TypeAlias = "str | Sequence[int] | Chat"
"""Text to go on from, token ids, or a conversation."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine is given, and the hits that went into it, best first."""

    token_ids: tuple[int, ...]
    """Empty where the language model's tokenizer is not at hand: then `messages` is the prompt."""
    sources: tuple[Hit, ...]
    messages: tuple[Message, ...] = ()

    def for_model(self) -> ModelInput:
        if self.token_ids:
            return self.token_ids
        return Chat(tuple({"role": turn.role, "content": turn.content} for turn in self.messages))


@dataclass(frozen=True, slots=True)
class PreparedPrompt:
    """What the Retriever made of a question."""

    prompt: Prompt
    """Without sources if nothing relevant was found."""
    timings_ms: Mapping[str, float]
    """Of each step of the retrieval."""
    note: str = ""
    """What could not be done as requested, and why."""
    cache_key: str = ""
    """A key of everything that the prompt depends on; empty if answers must not be cached."""
    queries: tuple[str, ...] = ()
    """The queries that were searched."""


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token, and how likely the model held it."""

    token: str
    """Its text alone; a part of a character becomes U+FFFD."""
    token_id: int
    """-1: the language model's server does not tell."""
    logprob: float
    """Natural logarithm of the probability."""
    top: tuple[TokenLogprob, ...] = ()
    """The likeliest in its place, as many as were asked for, likeliest first."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """New text from the engine; empty only where it comes with something else."""

    text: str
    index: int = 0
    """Which text of a request that wants several (`n`)."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the tokens since the piece before, where the request wants them."""
    tool_calls: tuple[JsonObject, ...] = ()
    """Parts of function calls, as OpenAI's API streams them: `index`, `id`, `function.name`, `function.arguments`."""


@dataclass(frozen=True, slots=True)
class TextEnd:
    """How one text of a request ended."""

    finish_reason: str
    """`stop` or `length`, as vLLM names them."""
    stop_reason: str | int | None = None
    """The stop text or the stop token's id; None: the model ended it by itself, or it grew too long."""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The engine's last word on a request."""

    finish_reason: str
    """Of the first text."""
    usage: Usage
    cached: bool = False
    """Whether all of it was written before, for an equal request."""
    ends: tuple[TextEnd, ...] = ()
    """Of all texts, by their index; empty: there is one, and it has no stop reason."""
    prompt_logprobs: tuple[TokenLogprob | None, ...] = ()
    """A place for each token of the prompt, where the request wants them; the first is None."""

    def all_ends(self) -> tuple[TextEnd, ...]:
        """One for each text."""
        return self.ends or (TextEnd(self.finish_reason),)
