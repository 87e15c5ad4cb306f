"""Grammars for vLLM's structured outputs that admit nothing but quotes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rag.types import JsonObject, Quote


def fixed_text(quotes: Sequence[Quote]) -> JsonObject:
    """Admits one text: all quotes, in their order."""
    return {"choice": [joined(quotes)]}


def chosen_text(quotes: Sequence[Quote], *, at_most: int, refusal: str) -> JsonObject:
    """Admits one to `at_most` of the quotes, in their order and each on a line of its own, or the refusal."""
    rules = [f"root ::= {json.dumps(refusal, ensure_ascii=False)} | {_rule(at_most, 0)}"]
    rules += [f"quote{number} ::= {json.dumps(each.marked, ensure_ascii=False)}" for number, each in enumerate(quotes)]
    for left in range(1, at_most + 1):
        rules += _rules(left, len(quotes))
    return {"grammar": "\n".join(rules)}


def _rules(left: int, count: int) -> Iterator[str]:
    """Rules for "up to `left` of the quotes from number `first` on"."""
    for first in range(count):
        more = f' ("\\n" {_rule(left - 1, first + 1)})?' if left > 1 and first + 1 < count else ""
        skip = f" | {_rule(left, first + 1)}" if first + 1 < count else ""
        yield f"{_rule(left, first)} ::= quote{first}{more}{skip}"


def _rule(left: int, first: int) -> str:
    return f"upto{left}from{first}"


def joined(quotes: Sequence[Quote]) -> str:
    """Sentences follow one another; everything else is on lines of its own."""
    text = ""
    for previous, quote in zip([None, *quotes], quotes, strict=False):
        if previous is not None:
            text += " " if previous.is_inline and quote.is_inline else "\n"
        text += quote.marked
    return text
