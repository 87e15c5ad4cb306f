"""Whether llguidance can enforce a grammar, and whether a text follows it.

vLLM's backend `guidance` ends a text, as if it were complete, when it cannot continue or reaches a limit
(docs/bentoml_issues.md#v12). So complete texts are compared with their grammar.
"""

from __future__ import annotations

import functools
import json

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
        compact: Whether blanks between the parts of the JSON are excluded.
    """
    return llguidance.LLMatcher.grammar_from_json_schema(
        json.dumps(schema), defaults={"whitespace_flexible": not compact}
    )


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
