"""Whether llguidance can enforce a grammar, and whether a text follows it.

vLLM's backend `guidance` ends a text, as if it were complete, when it cannot continue or reaches a limit
(docs/bentoml_issues.md#v12). So complete texts are compared with their grammar.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import llguidance

from rag.types import JsonObject

_PROBED_BYTES = 4
"""An object with too many optional properties, for instance, is found out at its second byte."""


class GrammarRefused(Exception):
    """llguidance cannot enforce the grammar; the message says why."""


class TextMatcher:
    """Compares texts with a grammar.

    Args:
        grammar: In llguidance's own format.

    Raises:
        GrammarRefused: no text can follow the grammar, or llguidance cannot enforce it.
    """

    def __init__(self, grammar: str) -> None:
        self._matcher = llguidance.LLMatcher(_bytes_as_tokens(), grammar, log_level=0)
        self._check()
        for _ in range(_PROBED_BYTES):
            mask = self._matcher.compute_bitmask()
            self._check()
            token = next((token for token in range(256) if mask[token // 8] >> token % 8 & 1), None)
            if token is None and not self._matcher.is_accepting():
                raise GrammarRefused("no text can match this")
            if token is None or not self._matcher.consume_token(token):
                break
        self._check()

    def matches(self, text: str) -> bool:
        """Whether the text is complete."""
        self._matcher.reset()
        return self._matcher.consume_tokens(list(text.encode())) and self._matcher.is_accepting()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise GrammarRefused(_reason(self._matcher.get_error()))


def schema_grammar(schema: JsonObject, *, compact: bool) -> str:
    """The grammar of a JSON schema.

    Args:
        compact: Whether the white space is fixed: see `white_space`.
    """
    options: Any = white_space(compact=compact)
    return llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults=options)


def white_space(*, compact: bool) -> JsonObject:
    """llguidance's options for white space in JSON: any, or one blank after each comma and colon.

    The latter is how most JSON that models have read is written. Without the blanks, small models write other values.
    """
    if not compact:
        return {"whitespace_flexible": True}
    return {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


def refusal_of(grammar: str) -> str:
    """Why llguidance cannot compile a grammar; empty if it can."""
    error: str = llguidance.LLMatcher.validate_grammar(grammar)
    return _reason(error) if error else ""


def _reason(error: str) -> str:
    """The error without the state of the parser and the stack."""
    if error.startswith("NoExtension"):
        return "no text can match this"
    for mark in ("<state>", "<backtrace>", "while processing json-schema:"):
        error = error.partition(mark)[0]
    return " ".join(error.split())[:300] or "no text can match this"


@functools.cache
def _bytes_as_tokens() -> llguidance.LLTokenizer:
    """A tokenizer with a token for each byte, because the engine's tokenizer takes long to load."""
    return llguidance.LLTokenizer("byte")
