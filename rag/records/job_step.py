"""What a job is doing at the moment, for people and for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

StepCode: TypeAlias = Literal["reading", "embedding", "generating_questions", "creating_index", "reindexing"]

TEXTS: Final[Mapping[StepCode, str]] = {
    "reading": "reading {name}",
    "embedding": "embedding {name}",
    "generating_questions": "generating questions for {name}, passage {passage} of {passages}",
    "creating_index": "creating the index {name}",
    "reindexing": "rebuilding the index with {name}",
}


@dataclass(frozen=True, slots=True)
class JobStep:
    """A step as the catalog stores it, as a text, with the code and the values that the text was made of."""

    text: str
    code: StepCode | Literal[""] = ""
    """Empty before the first step, and for a text of an old release."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What the text names: the `name` of a file, an index or a model, and the number of a passage."""

    @staticmethod
    def of(code: StepCode, **values: object) -> JobStep:
        texts = {name: str(value) for name, value in values.items()}
        return JobStep(TEXTS[code].format_map(texts), code, texts)

    @staticmethod
    def parse(text: str) -> JobStep:
        for code, pattern in _PATTERNS.items():
            if found := pattern.fullmatch(text):
                return JobStep(text, code, found.groupdict())
        return JobStep(text)


_PATTERNS: Final = {
    code: re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(text)), re.DOTALL)
    for code, text in TEXTS.items()
}
