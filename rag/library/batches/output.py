"""Writes the output file and the error file of a batch: one line for each of its requests, in one of the two."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rag.catalog.batch_lines import EndedLine
from rag.catalog.batches import BatchWorkRow
from rag.records import BatchState, UploadedFile
from rag.types import JsonMapping, JsonObject

_UNANSWERED: dict[BatchState | None, tuple[str, str]] = {
    "expired": ("batch_expired", "this request could not be answered within the completion window"),
    "cancelled": ("batch_cancelled", "the batch was cancelled before this request was answered"),
}
"""Code and message of requests without an answer, by how their batch ended; OpenAI's codes."""


class BatchOutput:
    """The files, while they are written. Close them with `finish` or `remove`."""

    def __init__(self, folder: Path, batch: BatchWorkRow) -> None:
        self._batch = batch
        self.output = _JsonLines(folder, f"{batch.id}_output.jsonl")
        self.errors = _JsonLines(folder, f"{batch.id}_error.jsonl")
        self._usage = _Usage()

    @property
    def usage(self) -> JsonObject | None:
        return self._usage.to_json()

    def write(self, lines: Iterable[EndedLine]) -> None:
        for line in lines:
            response = None if line.state == "pending" else line.response
            wire = {
                "id": f"batch_req_{self._batch.id.removeprefix('batch_')}_{line.number}",
                "custom_id": line.custom_id,
                "response": response,
                "error": self._unanswered() if response is None else None,
            }
            (self.output if line.state == "completed" else self.errors).write(wire)
            if response is not None:
                self._usage.add(response["body"])

    def finish(self) -> list[UploadedFile]:
        """Flush to disk what was written. Returns the output file and the error file, without those that are empty."""
        return [file.finish() for file in (self.output, self.errors) if file.lines]

    def remove(self) -> None:
        """Delete the files that were not moved away."""
        for file in (self.output, self.errors):
            file.remove()

    def _unanswered(self) -> JsonObject:
        errors = self._batch.errors
        own = (errors[0]["code"], errors[0]["message"]) if errors else ("batch_failed", "the batch failed")
        code, message = _UNANSWERED.get(self._batch.end_state, own)
        return {"code": code, "message": message}


class _JsonLines:
    def __init__(self, folder: Path, name: str) -> None:
        self.lines = 0
        self._name = name
        self._path = folder / f"{uuid.uuid4().hex}.part"
        self._file = self._path.open("xb")
        self._hash = hashlib.sha256()

    def write(self, value: JsonMapping) -> None:
        line = json.dumps(value, ensure_ascii=True).encode() + b"\n"
        self._hash.update(line)
        self._file.write(line)
        self.lines += 1

    def finish(self) -> UploadedFile:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return UploadedFile(self._name, self._path, self._path.stat().st_size, self._hash.hexdigest())

    def remove(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class _Usage:
    """Sums the tokens of responses, by the names of either of OpenAI's APIs."""

    def __init__(self) -> None:
        self._sums = Counter[str]()
        self._is_known = False

    def add(self, body: Any) -> None:
        usage = body.get("usage") if isinstance(body, dict) else None
        if not isinstance(usage, dict):
            return
        self._is_known = True
        for name, other in (("input", "prompt"), ("output", "completion")):
            self._sums[name] += _first(usage, f"{name}_tokens", f"{other}_tokens")
        self._sums["total"] += _first(usage, "total_tokens")
        self._sums["cached"] += _detail(usage, ("input_tokens_details", "prompt_tokens_details"), "cached_tokens")
        details = ("output_tokens_details", "completion_tokens_details")
        self._sums["reasoning"] += _detail(usage, details, "reasoning_tokens")

    def to_json(self) -> JsonObject | None:
        if not self._is_known:
            return None
        return {
            "input_tokens": self._sums["input"],
            "input_tokens_details": {"cached_tokens": self._sums["cached"]},
            "output_tokens": self._sums["output"],
            "output_tokens_details": {"reasoning_tokens": self._sums["reasoning"]},
            "total_tokens": self._sums["total"],
        }


def _first(values: JsonMapping, *names: str) -> int:
    return next((values[name] for name in names if isinstance(values.get(name), int)), 0)


def _detail(usage: JsonMapping, names: tuple[str, ...], name: str) -> int:
    return next((_first(usage[each], name) for each in names if isinstance(usage.get(each), dict)), 0)
