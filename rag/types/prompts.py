"""Prompts and quotations: the inputs of the language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from rag.types.json import JsonMapping, JsonObject
from rag.types.places import Rectangle
from rag.types.retrieval import Hit

AnswerStyle: TypeAlias = Literal["written", "quoted"]
"""`written`: in the language model's own words. `quoted`: nothing but parts of the documents, word for word."""
QuoteChoice: TypeAlias = Literal["ranking", "model"]
"""Who decides which of the best candidates are quoted: the ranking alone, or the language model."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


REASONING: Final = "reasoning_content"
"""Key of an assistant's message in a `Chat`: what the assistant thought before. Templates drop it, except between the
function calls of one answer."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation for the language model to continue, rendered with the model's own chat template."""

    messages: tuple[JsonObject, ...]
    """In OpenAI's format, with the arguments of `tool_calls` as JSON text. Contents are plain text; that of a user's
    message with images is a list of parts of types `text` and `image_url`, each image with a data URL.
    """
    tools: tuple[JsonObject, ...] = ()
    """Functions that the model may call, in OpenAI's format."""
    template_values: JsonMapping = field(default_factory=dict)
    """Additional variables for the chat template."""
    calls_tools: bool = False
    """Whether the model may decide to call functions; its calls are then parsed out of its text."""
    thinks: bool = True
    """False: the model answers without thinking first, even if it usually thinks."""


@dataclass(frozen=True, slots=True)
class RenderedChat:
    """A conversation for the language model to continue, as token ids."""

    token_ids: tuple[int, ...]
    template_values: JsonMapping = field(default_factory=dict)
    """The additional variables of the chat template with which it was rendered."""
    thinks: bool = True
    """As in `Chat`."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """Two texts between which the language model inserts one."""

    prefix: str
    suffix: str


ModelInput: TypeAlias = "str | Sequence[int] | Chat | RenderedChat | Insertion"
"""A text to continue, its token ids, a conversation, or the text around a gap. It thinks only in a conversation."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt of an answer, with the passages that it contains."""

    token_ids: tuple[int, ...]
    """Empty if the language model's tokenizer is not available: the prompt is then `messages`."""
    sources: tuple[Hit, ...]
    """Best first."""
    messages: tuple[Message, ...] = ()

    def for_model(self, template_values: JsonMapping, *, thinks: bool = True) -> ModelInput:
        """The prompt as the language model receives it: its token ids, or its messages if another server renders the
        template.

        Args:
            template_values: The variables of the chat template with which it was rendered.
        """
        if self.token_ids:
            return RenderedChat(self.token_ids, template_values, thinks)
        messages = tuple({"role": turn.role, "content": turn.content} for turn in self.messages)
        return Chat(messages, template_values=template_values, thinks=thinks)


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
    rectangles: tuple[Rectangle, ...] = ()
    """Where it is on the pages of a PDF. Within a line, the place of its words is estimated."""
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
    """The prompt of an answer, as the Retriever prepared it."""

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
    """For a quoted answer, how near its best quote is to the question, in [0, 1]."""
    top_k: int | None = None
    """The maximum number of passages of this search."""
