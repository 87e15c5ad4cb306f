from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class FakeEncoding:
    offsets: list[tuple[int, int]]


class FakeTokenCounter:
    """Tokens are words and punctuation marks; a unicorn is two tokens, as in byte-level tokenizers."""

    def encode(
        self, sequence: str, pair: str | None = None, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> FakeEncoding:
        assert not add_special_tokens
        found = [match.span() for match in re.finditer(r"🦄|\w+|[^\w\s]", sequence)]
        return FakeEncoding([span for span in found for _ in range(2 if sequence[span[0]] == "🦄" else 1)])
