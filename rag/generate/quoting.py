"""Quoted answers: sampling parameters, options that cannot be combined with them, and the positions of the quotes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Literal, TypeAlias

from rag.errors import InvalidRequest
from rag.generate.citations import Citation, QuotedRange
from rag.llm.template_values import EFFORT
from rag.ports import TokenStream
from rag.types import AnswerStyle, Facts, Hit, JsonObject, Quotation, Quote, QuoteChoice, SamplingParameters

StyleOption: TypeAlias = Literal["auto", "written", "quoted"]
"""`auto`: quoted with the embedded language model, which is too small to write well; written with any other."""
_EXCLUDED = (
    "structured_outputs",
    "allowed_token_ids",
    "bad_words",
    "ignore_eos",
    "logit_bias",
    "min_tokens",
    "thinking_token_budget",
    EFFORT,
)
"""Parameters that constrain or change the text, which a quoted answer cannot combine with its own grammar, and those
that ask for thinking, because its model only chooses."""


def resolve_style(chosen: StyleOption, sampling: SamplingParameters, model: str, facts: Facts) -> AnswerStyle:
    """The style of an answer.

    Args:
        chosen: By the request or the settings.
        sampling: As set by the request.
        model: Name of a LoRA adapter; empty for the language model itself.
        facts: What the `LLM` service reports.

    Raises:
        InvalidRequest: `quoted` cannot be combined with one of the sampling parameters; names it.
    """
    excluded = next((name for name in _EXCLUDED if sampling.get(name)), None)
    if chosen == "auto":
        return "quoted" if facts.get("embedded") and not model and excluded is None else "written"
    if chosen == "quoted" and excluded is not None:
        message = f"{excluded}: cannot be combined with a quoted answer; leave it out, or set style to written"
        raise InvalidRequest(message, param=excluded)
    return chosen


def prompt_fields(style: AnswerStyle, facts: Facts, max_tokens: int) -> JsonObject:
    """Fields of `PrepareRequest`: the style of the answer, and the language model's context and output length.

    Args:
        facts: What the `LLM` service reports.
        max_tokens: Length limit of the answer.
    """
    # The embedded model is too small to judge which quote answers a question.
    choice: QuoteChoice = "ranking" if facts.get("embedded") else "model"
    quoting = {"quotes_chosen_by": choice} if style == "quoted" else {}
    return {"context_tokens": facts["context_tokens"], "max_tokens": max_tokens, "style": style, **quoting}


def quoting_parameters(sampling: SamplingParameters, quotation: Quotation) -> JsonObject:
    """The sampling parameters of a quoted answer."""
    own = {name: value for name, value in sampling.items() if name != "repetition_detection"}
    return {**own, "structured_outputs": dict(quotation.structure)}


@asynccontextmanager
async def refusing_style(request: AbstractAsyncContextManager[TokenStream]) -> AsyncIterator[TokenStream]:
    """The stream of a quoted answer. Raises InvalidRequest for `style` if the language model has no structured
    outputs.
    """
    async with AsyncExitStack() as stack:
        try:
            stream = await stack.enter_async_context(request)
        except InvalidRequest as error:
            if error.param != "structured_outputs":
                raise
            message = f"style: quoted answers need a language model with structured outputs ({error.message})"
            raise InvalidRequest(message, param="style") from error
        yield stream


def quote_citations(text: str, quotes: Sequence[Quote], sources: Sequence[Hit]) -> tuple[Citation, ...]:
    """The citations of a quoted answer; a quote that `max_tokens` cut off has none."""
    citations = []
    position, left = 0, list(quotes)
    while (quote := _next_quote(text, position, left)) is not None:
        end = position + len(quote.marked)
        file_id = sources[quote.source - 1].chunk.file_id
        mark_start = end - len(f"[{quote.source}]")
        quoted = QuotedRange(position, position + len(quote.text), quote.start, quote.end, quote.page, quote.rectangles)
        citations.append(Citation(quote.source, file_id, mark_start, end, score=1.0, quote=quoted))
        left.remove(quote)
        position = end
        while position < len(text) and text[position].isspace():
            position += 1
    return tuple(citations)


def _next_quote(text: str, position: int, quotes: Sequence[Quote]) -> Quote | None:
    fitting = [quote for quote in quotes if text.startswith(quote.marked, position)]
    return max(fitting, key=lambda quote: len(quote.marked), default=None)
