"""What goes over the pipes between the service and the process that reads files: a JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

ParseOutcome: TypeAlias = Literal["text", "refused", "out_of_memory", "timeout", "crashed"]


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """Read the file at `path`; write the Extract, or the reason there is none, to `result`, in a folder of its own."""

    number: int
    path: str
    filename: str
    result: str
    timeout_s: float
    memory_mib: int
    max_text_chars: int
    ocr_languages: str

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def parse(line: bytes) -> ParseRequest:
        return ParseRequest(**json.loads(line))


@dataclass(frozen=True, slots=True)
class ParseReply:
    number: int
    outcome: ParseOutcome
    """`text`, `refused`: the result has been written. Else it has not."""
    signal: int = 0
    """That ended a reader which crashed."""

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def parse(line: bytes) -> ParseReply:
        return ParseReply(**json.loads(line))
