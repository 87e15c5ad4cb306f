"""Context-free grammars and choices as llguidance reads them: its dialect of Lark (docs/bentoml_issues.md#v13)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

HEADER = "%llguidance {}\n"
"""vLLM takes a text that begins like this for Lark."""
MAX_REPETITIONS = 10_000
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"|/(?![/*])(?:[^/\\\n]|\\.)+/|//[^\n]*)
    |~[ ]*(?P<least>\d+)[ ]*\.\.[ ]*(?P<most>\d+)
    |\{[ ]*(?P<counts>\d+[ ]*(?:,[ ]*\d*)?)[ ]*\}""",
    re.VERBOSE,
)
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029]")


def lark_literal(text: str) -> str:
    """A text as a literal of Lark."""
    escaped = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


def any_of(texts: Iterable[str]) -> str:
    """The grammar of a choice."""
    return f"{HEADER}start: {' | '.join(map(lark_literal, texts))}\n"


def repetitions(least: int, most: int | None) -> str:
    """How often something is repeated. Raises ValueError for numbers that would take too long to compile."""
    if max(least, most or 0) > MAX_REPETITIONS:
        raise ValueError(f"something may be repeated at most {MAX_REPETITIONS:,} times")
    return f"{{{least},{'' if most is None else most}}}"


def from_lark(grammar: str) -> str:
    """A client's grammar. Raises ValueError if a number of repetitions is too large."""
    text = _TOKEN.sub(_converted, grammar)
    return text if text.lstrip().startswith("%llguidance") else HEADER + text


def _converted(found: re.Match[str]) -> str:
    if found["text"] is not None:
        return found[0]
    if found["least"] is not None:
        return repetitions(int(found["least"]), int(found["most"]))
    for number in re.findall(r"\d+", found["counts"]):
        repetitions(int(number), None)
    return found[0]
