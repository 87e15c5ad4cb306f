"""Texts that a grammar admits, chosen at random, as a model at a high temperature would write them."""

from __future__ import annotations

import random

import llguidance

_BYTES = llguidance.LLTokenizer("byte")
_CLOSING = frozenset(b'"]},')


def sampled(grammar: str, seed: int, most: int = 400) -> bytes | None:
    """A complete text; None if it had become longer than `most` bytes.

    Args:
        grammar: In llguidance's own format.

    Raises:
        AssertionError: the text cannot be continued, although it is not complete.
    """
    choose, written = random.Random(seed), bytearray()
    matcher = llguidance.LLMatcher(_BYTES, grammar, log_level=0)
    while len(written) <= most:
        assert not matcher.is_error() or matcher.is_accepting(), matcher.get_error()
        if matcher.is_accepting() and choose.random() < 0.5:
            return bytes(written)
        mask = matcher.compute_bitmask()
        allowed = [byte for byte in range(256) if mask[byte // 8] >> byte % 8 & 1]
        if not allowed:
            assert matcher.is_accepting(), f"nothing can follow {bytes(written)!r}"
            return bytes(written)
        closing = [byte for byte in allowed if byte in _CLOSING]
        plain = [byte for byte in allowed if 32 <= byte < 127]
        pool = closing if closing and choose.random() < 0.4 else plain if plain and choose.random() < 0.9 else allowed
        byte = choose.choice(pool)
        assert matcher.consume_token(byte)
        written.append(byte)
    return None
