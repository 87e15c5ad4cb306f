"""Reads the input file of a batch: one JSON object a line, each a request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from rag.catalog.batch_lines import NewLine
from rag.records import BatchFault
from rag.types import JsonObject

WITHOUT_MODEL = ("/v1/rerank",)
"""The routes whose requests need not name a model."""
_MAX_LINE_BYTES = 16 * 2**20
_MAX_FAULTS = 100
_MAX_CUSTOM_ID = 512
_FIELDS = ("custom_id", "method", "url", "body")
_NEEDED = {"/v1/chat/completions": "messages", "/v1/completions": "prompt", "/v1/embeddings": "input"}
"""The field besides the model without which no request to a route can succeed."""

IsModel: TypeAlias = Callable[[str, str], bool]
"""Whether requests to an endpoint can name a model."""


class _BadLine(Exception):
    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


@dataclass(frozen=True, slots=True)
class InputFile:
    """What an input file contains."""

    lines: list[NewLine]
    faults: list[BatchFault]
    """The first hundred; empty: the batch can run."""
    model: str
    """The model of all requests; empty if there are several."""


def read_input(path: Path, endpoint: str, is_model: IsModel, max_lines: int) -> InputFile:
    """Validate the lines of a file. Their bodies are validated by their route."""
    reader = _Reader(endpoint, is_model)
    with path.open("rb") as source:
        for number, offset, line in _lines(source):
            if len(reader.lines) >= max_lines:
                message = f"the file has more than {max_lines} requests, the maximum (RAG_BATCHES__MAX_LINES)"
                return InputFile([], [BatchFault("too_many_requests", message)], "")
            reader.read(number, offset, line)
            if len(reader.faults) >= _MAX_FAULTS:
                break
    if not reader.lines and not reader.faults:
        reader.faults.append(BatchFault("empty_file", "the file has no requests"))
    model = next(iter(reader.models)) if len(reader.models) == 1 else ""
    return InputFile(reader.lines, reader.faults, model)


def body_of(line: bytes) -> str:
    """The body of the request on a valid line, as JSON in ASCII.

    One that is nested too deeply is `null`, which its route refuses.
    """
    try:
        return json.dumps(json.loads(line)["body"])
    except RecursionError:  # how deep it may be depends on who calls
        return "null"


def _lines(source: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and content of each line that is not blank. The rest of a line that is too long is left out."""
    number = offset = 0
    while line := source.readline(_MAX_LINE_BYTES + 1):
        number += 1
        start, offset = offset, offset + len(line)
        if len(line) > _MAX_LINE_BYTES:
            while not line.endswith(b"\n") and (rest := source.readline(_MAX_LINE_BYTES)):
                offset += len(rest)
                line = line[:_MAX_LINE_BYTES] + rest[-1:]
        if line.strip():
            yield number, start, line


class _Reader:
    def __init__(self, endpoint: str, is_model: IsModel) -> None:
        self.lines: list[NewLine] = []
        self.faults: list[BatchFault] = []
        self.models: set[str] = set()
        self._endpoint = endpoint
        self._is_model = is_model
        self._numbers: dict[str, int] = {}
        """The numbers of the lines by their `custom_id`."""

    def read(self, number: int, offset: int, line: bytes) -> None:
        try:
            _check_fields(request := _object(line))
            custom_id = self._custom_id(number, request)
            self._check(request)
        except _BadLine as bad:
            self.faults.append(BatchFault(bad.code, bad.message, number, bad.param))
        else:
            self.lines.append(NewLine(number, custom_id, offset, len(line)))

    def _custom_id(self, number: int, request: JsonObject) -> str:
        custom_id = request["custom_id"]
        if not isinstance(custom_id, str) or not 0 < len(custom_id) <= _MAX_CUSTOM_ID or "\0" in custom_id:
            message = f"custom_id: must be a text of 1 to {_MAX_CUSTOM_ID} characters"
            raise _BadLine("invalid_custom_id", message, "custom_id")
        if not _is_unicode(custom_id):
            raise _BadLine("invalid_custom_id", "custom_id: is not valid Unicode", "custom_id")
        if (first := self._numbers.setdefault(custom_id, number)) != number:
            raise _BadLine("duplicate_custom_id", f"custom_id: line {first} has the same", "custom_id")
        return custom_id

    def _check(self, request: JsonObject) -> None:
        if request["method"] != "POST":
            raise _BadLine("invalid_method", "method: must be POST", "method")
        if request["url"] != self._endpoint:
            message = f"url: does not match the endpoint of the batch, which is {self._endpoint}"
            raise _BadLine("invalid_url", message, "url")
        body = request["body"]
        if not isinstance(body, dict):
            raise _BadLine("invalid_body", "body: must be an object", "body")
        if body.get("stream"):
            raise _BadLine("streaming_unsupported", "body.stream: streaming is not supported in a batch", "body.stream")
        if body.get("background"):
            raise _BadLine("invalid_body", "body.background: is not supported in a batch", "body.background")
        self._check_model(body)
        if (name := _NEEDED.get(self._endpoint)) and body.get(name) is None:
            raise _BadLine("missing_required_parameter", f"body.{name}: is missing", f"body.{name}")

    def _check_model(self, body: JsonObject) -> None:
        model: Any = body.get("model")
        if model is None and self._endpoint in WITHOUT_MODEL:
            return
        if model is None:
            raise _BadLine("missing_required_parameter", "body.model: is missing", "body.model")
        if not isinstance(model, str):
            raise _BadLine("invalid_body", "body.model: must name a model", "body.model")
        if model not in self.models:
            if not self._is_model(self._endpoint, model):
                message = (
                    f"body.model: {model[:200]!r} is not supported by {self._endpoint}; GET /v1/models lists the models"
                )
                raise _BadLine("model_not_found", message, "body.model")
            self.models.add(model)


def _check_fields(request: JsonObject) -> None:
    if unknown := sorted(set(request).difference(_FIELDS)):
        name = unknown[0][:80].encode("ascii", "backslashreplace").decode()
        raise _BadLine("unknown_parameter", f"{name}: is not a field of a request", name)
    if missing := [name for name in _FIELDS if request.get(name) is None]:
        raise _BadLine("missing_required_parameter", f"{missing[0]}: is missing", missing[0])


def _object(line: bytes) -> JsonObject:
    if len(line) > _MAX_LINE_BYTES:
        raise _BadLine("invalid_json_line", f"the line is longer than {_MAX_LINE_BYTES} bytes")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise _BadLine("invalid_json_line", "the line is not valid JSON") from None
    if not isinstance(value, dict):
        raise _BadLine("invalid_json_line", "the line is not a JSON object")
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
