"""Follows a grammar with the language model's tokens."""

from __future__ import annotations

from collections.abc import Sequence

import llguidance
import numpy as np

from rag.errors import InternalError


class TokenMatcher:
    """A position in a grammar, which begins at its start.

    Args:
        tokenizer: Of the language model.
        grammar: In llguidance's dialect of Lark.
    """

    def __init__(self, tokenizer: llguidance.LLTokenizer, grammar: str) -> None:
        self._tokenizer = tokenizer
        self._matcher = llguidance.LLMatcher(tokenizer, llguidance.LLMatcher.grammar_from_lark(grammar), log_level=0)
        self._check()

    @property
    def is_complete(self) -> bool:
        """Whether the text is complete and nothing can be added."""
        return self._matcher.is_stopped()

    def advance(self) -> list[int]:
        """Advance to the next choice, or to the end. Returns the tokens in between: those that the tokenizer makes of
        the text, without the last ones if they depend on the choice.
        """
        passed: list[int] = []
        while tokens := self._matcher.compute_ff_tokens():
            self._consume(tokens)
            passed += tokens
        return passed

    def choices(self) -> list[int]:
        """The tokens that may come next. The end is one of them where the text may end."""
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        chosen: list[int] = np.flatnonzero(np.unpackbits(mask, bitorder="little")).tolist()
        return chosen

    def choose(self, token_id: int) -> bool:
        """Advance by one of the tokens of `choices`. Returns False if it ends the text."""
        if token_id in self._tokenizer.eos_tokens:
            return False
        self._consume([token_id])
        return True

    def bytes_of(self, token_id: int) -> bytes:
        return self._tokenizer.decode_bytes([token_id])

    def _consume(self, token_ids: Sequence[int]) -> None:
        self._matcher.consume_tokens(list(token_ids))
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise InternalError(f"a structured output cannot be followed: {self._matcher.get_error()[:300]}")
