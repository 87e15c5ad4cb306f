from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FakeEncoding:
    offsets: list[tuple[int, int]]


class FakeTokenCounter:
    """Words, marks, and each unicorn twice, as byte-level tokenizers have more tokens than characters."""

    def encode(
        self, sequence: Any, pair: Any = None, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> FakeEncoding:
        assert not add_special_tokens
        found = [match.span() for match in re.finditer(r"🦄|\w+|[^\w\s]", sequence)]
        return FakeEncoding([span for span in found for _ in range(2 if sequence[span[0]] == "🦄" else 1)])
