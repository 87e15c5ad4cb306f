"""The values that are passed between layers: frozen, made of the standard library alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
JsonMapping: TypeAlias = Mapping[str, Any]
"""A JSON object that is only read."""
Facts: TypeAlias = Mapping[str, Any]
"""What a service, model or cache reports about itself, for readiness checks."""
SamplingParameters: TypeAlias = Mapping[str, Any]
"""vLLM's sampling parameters by their own names, as JSON values."""
FilterObject: TypeAlias = Mapping[str, Any]
"""A filter over documents' attributes, as OpenAI's API defines it."""
Vector: TypeAlias = Sequence[float]
SparseVector: TypeAlias = Mapping[int, float]
"""Token id of a sparse model's vocabulary -> weight, greater than 0."""
Attributes: TypeAlias = Mapping[str, str | int | float | bool]
"""Metadata of a document."""
TextKind: TypeAlias = Literal["query", "passage"]
"""What a text is to an encoder: many models encode queries and passages differently."""
TokenIds: TypeAlias = Sequence[int]
"""Of a model's own tokenizer."""
SearchMode: TypeAlias = Literal["hybrid", "dense", "keyword", "sparse"]
"""`hybrid`: all search paths that are available."""
RerankKind: TypeAlias = Literal["late_interaction", "cross_encoder"]
"""`late_interaction` compares token vectors of the embedding model; a `cross_encoder` reads both texts together."""
AnswerStyle: TypeAlias = Literal["written", "quoted"]
"""`written`: in the language model's own words. `quoted`: nothing but parts of the documents, word for word."""
QuoteChoice: TypeAlias = Literal["ranking", "model"]
"""Who decides which of the best candidates are quoted: the ranking alone, or the language model."""
Change: TypeAlias = Literal["added", "replaced", "unchanged"]
"""What an upload did to a document."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document. It applies from `start` to the start of the next heading."""

    start: int
    """Character offset in the document's text."""
    path: str
    """Titles from the outermost heading to this one, joined by ` > `."""


@dataclass(frozen=True, slots=True)
class PageStart:
    """The start of a page of a document. The page ends where the next one starts."""

    start: int
    """Character offset in the document's text."""
    number: int
    """Page number, from 1. Slides and sheets count as pages."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class PassagePairs:
    """The questions and answers that a language model generated for one passage of a document."""

    start: int
    """Character offset of the passage in the document's text."""
    end: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Extract:
    """The text of a file and its structure. Offsets refer to `text`; `headings` and `pages` are in ascending order."""

    text: str
    media_type: str
    """Detected from the file's content, such as `application/pdf`."""
    is_markdown: bool = False
    headings: tuple[Heading, ...] = ()
    pages: tuple[PageStart, ...] = ()
    """Empty for file formats without pages."""
    title: str = ""
    """From the file's metadata; empty if it has none."""
    language: str = ""
    """BCP 47 tag, such as `en` or `de-AT`: from the file's metadata, or recognized at ingest; empty if not known."""
    pairs: tuple[PassagePairs, ...] | None = None
    """Generated questions for its passages, in the order of the passages; None if none were requested."""
    warnings: tuple[str, ...] = ()
    """What was not read or not read for certain, a sentence each, such as `2 pictures were not read`."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document, made by a chunker: `extract.text[start:end] == text`. Stored, it becomes a `Chunk`."""

    text: str
    start: int
    end: int
    heading: str = ""
    page: int | None = None
    """The page that most of it is on."""
    context: str = ""
    """A longer text around it, which the language model gets instead; empty for the passage itself."""
    pages: tuple[PageStart, ...] = ()
    """The pages it is on; the first one may start before it."""
    header: str = ""
    """Text above it that it depends on: the column names of its table, the key of its record, the title of its list."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored passage of one version of a document."""

    chunk_id: str
    """`{version_id}-{ordinal:06d}`"""
    version_id: str
    """A version is a document's text, attributes and chunking after one change."""
    file_id: str
    filename: str
    text: str
    start: int
    """Character offset in the document's text."""
    end: int
    heading: str = ""
    page: int | None = None
    """The page that most of it is on."""
    context: str = ""
    """A longer text around it, which the language model gets instead; empty for `text` itself."""
    pages: tuple[PageStart, ...] = ()
    """The pages it is on; the first one may start before it."""
    header: str = ""
    """Text above it that it depends on: the column names of its table, the key of its record, the title of its list."""
    attributes: Attributes = field(default_factory=dict)

    @property
    def page_numbers(self) -> list[int]:
        return [page.number for page in self.pages]

    def page_at(self, offset: int) -> int | None:
        """The page of a place in the chunk, given its character offset in the document."""
        before = [page.number for page in self.pages if page.start <= offset]
        return before[-1] if before else self.page


def passage_text(passage: Passage | Chunk) -> str:
    """The text as encoder and keyword index get it: under the path of its headings and its header."""
    return "\n".join(filter(None, (passage.heading, passage.header, passage.text)))


def readable_text(passage: Passage | Chunk) -> str:
    """The text as a language model or a person reads it: the larger text if there is one, below its header."""
    text = passage.context or passage.text
    missing = [line for line in passage.header.split("\n") if line and line not in text]
    return "\n".join([*missing, text])


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk found by one search path."""

    chunk: Chunk
    score: float
    """Higher is better. Dense: cosine in [-1, 1]; keyword: BM25, at least 0; sparse: inner product, at least 0."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found by a search, after the results of all search paths were fused."""

    chunk: Chunk
    score: float
    """In [0, 1]; higher is better. Comparable only within one query."""
    cosine: float | None = None
    """Score of the dense path, if that path found it. Comparable between queries."""
    ranks: Mapping[str, int] = field(default_factory=dict)
    """Rank, from 1, on each path that found it."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Score on each path that found it."""
    fused: float | None = None
    """The score after fusion, if reranking changed it."""
    rerank: float | None = None
    """The reranker's own score, in [0, 1]."""
    duplicates: tuple[str, ...] = ()
    """Ids of chunks with the same content that were dropped in favour of this one."""
    is_exact: bool = False
    """Whether it contains exactly what the question names, such as a part number."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The lengths of texts in tokens of an encoder."""

    tokens: tuple[int, ...]
    """Of each text before truncation, including the model's prompt prefix and special tokens."""
    max_tokens: int | None
    """Longer texts are truncated to this length; None if the model has no limit."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation for the language model to continue, rendered with the model's own chat template."""

    messages: tuple[JsonObject, ...]
    """In OpenAI's format, with contents as plain text and the arguments of `tool_calls` as JSON text."""
    tools: tuple[JsonObject, ...] = ()
    """Functions that the model may call, in OpenAI's format."""
    template_values: JsonMapping = field(default_factory=dict)
    """Additional variables for the chat template."""
    calls_tools: bool = False
    """Whether the model may decide to call functions; its calls are then parsed out of its text."""


ModelInput: TypeAlias = "str | Sequence[int] | Chat"
"""A text to continue, its token ids, or a conversation."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt of an answer, with the passages that it contains."""

    token_ids: tuple[int, ...]
    """Empty if the language model's tokenizer is not available: the prompt is then `messages`."""
    sources: tuple[Hit, ...]
    """Best first."""
    messages: tuple[Message, ...] = ()

    def for_model(self) -> ModelInput:
        if self.token_ids:
            return self.token_ids
        return Chat(tuple({"role": turn.role, "content": turn.content} for turn in self.messages))


@dataclass(frozen=True, slots=True)
class Quote:
    """A part of a source, word for word but for its markup."""

    text: str
    """As quoted, preceded by its heading if it makes no sense without it."""
    marked: str
    """`text` with its citation mark, as it stands in the answer."""
    source: int
    """Number of the source, from 1."""
    start: int
    """Character offset in the document's text."""
    end: int
    page: int | None = None
    is_inline: bool = True
    """Whether it is a sentence, which may follow another one in the same line."""


@dataclass(frozen=True, slots=True)
class Quotation:
    """What the language model may write in a quoted answer."""

    quotes: tuple[Quote, ...]
    structure: JsonMapping
    """vLLM's `structured_outputs`: admits nothing but the quotes."""


@dataclass(frozen=True, slots=True)
class PreparedPrompt:
    """What the Retriever made of a question."""

    prompt: Prompt
    """Without sources if nothing relevant was found."""
    timings_ms: Mapping[str, float]
    """Duration of each step of the retrieval."""
    note: str = ""
    """What could not be done as requested, and why."""
    cache_key: str = ""
    """Identifies everything that the prompt depends on; empty if the answer must not be cached."""
    queries: tuple[str, ...] = ()
    """The queries that were searched."""
    quotation: Quotation | None = None
    """None for a written answer."""
    confidence: float | None = None
    """Of a quoted answer, in [0, 1]: how near its best quote is to the question."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Number of tokens that a request used."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Prompt tokens that were taken from the engine's prefix cache."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its log probability."""

    token: str
    """The token decoded on its own; a token that is part of a character is U+FFFD."""
    token_id: int
    """-1 if the language model's server does not report it."""
    logprob: float
    """Natural logarithm of the probability."""
    top: tuple[TokenLogprob, ...] = ()
    """The most likely tokens at this position, most likely first, as many as were requested."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """New text from the language model. The text is empty only if the delta has logprobs or tool calls."""

    text: str
    index: int = 0
    """Number of the text, in a request for several (`n`)."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the tokens since the previous delta, if requested."""
    tool_calls: tuple[JsonObject, ...] = ()
    """Parts of function calls, as OpenAI's API streams them: `index`, `id`, `function.name`, `function.arguments`."""


@dataclass(frozen=True, slots=True)
class TextEnd:
    """How one text of a request ended."""

    finish_reason: str
    """By vLLM's names, such as `stop` or `length`."""
    stop_reason: str | int | None = None
    """The stop string or stop token id that ended it; None if it ended by itself or reached its maximum length."""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The last item of a token stream."""

    finish_reason: str
    """Of the first text."""
    usage: Usage
    cached: bool = False
    """Whether the whole text comes from the answer cache."""
    ends: tuple[TextEnd, ...] = ()
    """Of each text, by index; empty for a single text without a stop reason."""
    prompt_logprobs: tuple[TokenLogprob | None, ...] = ()
    """One for each token of the prompt, if requested; the first is None."""

    def all_ends(self) -> tuple[TextEnd, ...]:
        """Of each text, by index."""
        return self.ends or (TextEnd(self.finish_reason),)
