"""Messages between the service and the fork server: JSON objects, one a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

ParseOutcome: TypeAlias = Literal["text", "refused", "out_of_memory", "timeout", "crashed"]


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """A file to read.

    The child writes the Extract, or why it cannot be read, to `result`, whose folder serves as its temporary folder.
    """

    number: int
    path: str
    filename: str
    result: str
    timeout_s: float
    memory_mib: int
    max_text_chars: int
    ocr_languages: str
    charset: str = ""

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def parse(line: bytes) -> ParseRequest:
        return ParseRequest(**json.loads(line))


@dataclass(frozen=True, slots=True)
class ParseReply:
    """How reading a file ended."""

    number: int
    outcome: ParseOutcome
    """With `text` and `refused` the result file is written, otherwise not."""
    signal: int = 0
    """The signal that ended a crashed child."""

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def parse(line: bytes) -> ParseReply:
        return ParseReply(**json.loads(line))
