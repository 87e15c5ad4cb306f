"""Pytest plugin for the API tests of the `openai` package: the ids of their requests become those of real objects.

The tests are written for a mock, which knows every id and every model and checks no value. This plugin creates the
objects that a request names, in the service at `TEST_API_BASE_URL`, and names this service's models. A request that
deletes, cancels or completes gets an object of its own. Of the values that OpenAI's API does not accept either, it
replaces a `limit` of 0 and an upload of 0 bytes, names a model, an input or a file where there is none, and leaves
`files` out of a batch that also has `file_ids`. It changes nothing else.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import openai

URL = os.environ.get("TEST_API_BASE_URL", "http://localhost:3000/v1")
MODEL = os.environ.get("TEST_MODEL", "smollm2-135m-instruct")
ENCODER = os.environ.get("TEST_EMBEDDING_MODEL", "all-MiniLM-L6-v2")
_NAMED = re.compile(
    r"/(vector_stores|file_batches|files|responses|conversations|items|chat/completions|batches|uploads)/([^/?]+)"
)
_NEED_A_BODY = ("/responses", "/responses/compact", "/responses/input_tokens")
"""Routes whose requests name no model and no input in some tests."""
_ROUTES = ("input_tokens", "compact")
"""Steps of a path that are no ids."""
_CONTENT = re.compile(r"/files/[^/]+/content")
_INDEX_TIMEOUT_S = 120.0


def call(method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(URL + path, data, headers, method=method), timeout=120
    ) as answer:
        return json.load(answer)


def upload(text: str = "", purpose: str = "assistants") -> str:
    name = f"{time.monotonic_ns()}.txt"
    return send_form("/files", {"purpose": purpose}, "file", text or f"A text, {name}.", name)


def send_form(path: str, fields: Mapping[str, str], file_field: str, text: str, name: str = "text.txt") -> str:
    """Returns the id of what was created."""
    start = "--conformance\r\ncontent-disposition: form-data; name="
    parts = [f'{start}"{field}"\r\n\r\n{value}\r\n' for field, value in fields.items()]
    parts.append(f'{start}"{file_field}"; filename="{name}"\r\n\r\n{text}\r\n--conformance--\r\n')
    headers = {"content-type": "multipart/form-data; boundary=conformance"}
    request = urllib.request.Request(URL + path, "".join(parts).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        created: str = json.load(answer)["id"]
        return created


def batch_file() -> str:
    line = {"custom_id": "1", "method": "POST", "url": "/v1/responses", "body": {"model": MODEL, "input": "Hello"}}
    return upload(json.dumps(line) + "\n", "batch")


def batch() -> str:
    body = {"completion_window": "24h", "endpoint": "/v1/responses", "input_file_id": batch_file()}
    made: str = call("POST", "/batches", body)["id"]
    return made


def streamed_response() -> str:
    """A response in the background. Its stream is left after the first event."""
    body = json.dumps({**_RESPONSE, "background": True, "stream": True}).encode()
    request = urllib.request.Request(f"{URL}/responses", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as events:
        first = next(line for line in events if line.startswith(b"data: "))
    made: str = json.loads(first.removeprefix(b"data: "))["response"]["id"]
    return made


class Objects:
    """Creates objects, and keeps those that nobody deletes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], str] = {}
        self._makers: Mapping[str, Callable[[str], str]] = {
            "vector_stores": lambda _parent: call("POST", "/vector_stores", {"name": "conformance"})["id"],
            "files": self._file,
            "file_batches": lambda store: self._indexed(
                f"/vector_stores/{store}/file_batches", {"file_ids": [upload()]}
            ),
            "responses": lambda _parent: call("POST", "/responses", _RESPONSE)["id"],
            "conversations": lambda _parent: call("POST", "/conversations", {"items": [_MESSAGE]})["id"],
            "items": lambda conversation: call("POST", f"/conversations/{conversation}/items", {"items": [_MESSAGE]})[
                "data"
            ][0]["id"],
            "chat/completions": lambda _parent: call("POST", "/chat/completions", _CHAT)["id"],
            "batches": lambda _parent: batch(),
            "uploads": lambda _parent: call("POST", "/uploads", _UPLOAD)["id"],
            "streams": lambda _parent: streamed_response(),
        }

    @property
    def kept(self) -> frozenset[str]:
        return frozenset(self._kept.values())

    def get(self, kind: str, parent: str, *, fresh: bool) -> str:
        if fresh:
            return self._makers[kind](parent)
        if (kind, parent) not in self._kept:
            self._kept[kind, parent] = self._makers[kind](parent)
        return self._kept[kind, parent]

    def _file(self, store: str) -> str:
        return self._indexed(f"/vector_stores/{store}/files", {"file_id": upload()}) if store else upload()

    def _indexed(self, path: str, body: Mapping[str, Any]) -> str:
        made: str = call("POST", path, body)["id"]
        deadline = time.monotonic() + _INDEX_TIMEOUT_S
        while call("GET", f"{path}/{made}")["status"] == "in_progress" and time.monotonic() < deadline:
            time.sleep(0.1)
        return made


_MESSAGE = {"type": "message", "role": "user", "content": "Hello"}
_RESPONSE = {"model": MODEL, "input": "Hello", "max_output_tokens": 8}
_CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, "store": True}
_DATA = "Example data"
_UPLOAD = {"bytes": len(_DATA), "filename": "text.txt", "mime_type": "text/plain", "purpose": "assistants"}
_OBJECTS = Objects()


def with_real_ids(options: Any) -> Any:
    """The request with ids of real objects in its path and its body."""
    if _is_mocked(options):
        return options
    options.url = _path(options)
    if options.method.lower() == "get" and options.url.startswith("/models/"):
        options.url = f"/models/{MODEL}"
    if isinstance(options.params, dict):
        options.params = {name: value for name, value in options.params.items() if name != value}  # after="after"
        if options.params.get("limit") == 0:
            options.params["limit"] = 1
    if options.method.lower() == "post":
        _fill(options, options.url)
    return options


def _is_mocked(options: Any) -> bool:
    """Whether the tests have a mock of their own, as they have for bytes of files."""
    headers = options.headers if isinstance(options.headers, Mapping) else {}
    return bool(_CONTENT.fullmatch(options.url)) and "application/binary" in headers.values()


def _path(options: Any) -> str:
    parents = _parents(options.url)
    method, path, names = options.method.lower(), options.url, list(_NAMED.finditer(options.url))
    ends = method == "delete" or path.endswith(("/cancel", "/complete", "/parts"))
    parent = ""
    for position, found in enumerate(names):
        kind, old = found.groups()
        if old in _ROUTES or old in parents:
            continue
        parent = _OBJECTS.get(_maker(kind, options), parent, fresh=ends and position == len(names) - 1)
        path = path.replace(f"/{kind}/{old}", f"/{kind}/{parent}", 1)
    return path


def _maker(kind: str, options: Any) -> str:
    """Only a response in the background can be cancelled, and has a stream that can be taken up again."""
    streams = isinstance(options.params, dict) and options.params.get("stream")
    return "streams" if kind == "responses" and (streams or options.url.endswith("/cancel")) else kind


def _fill(options: Any, path: str) -> None:
    if not isinstance(options.json_data, dict):
        if options.json_data is not None or not (path in _NEED_A_BODY or path.endswith("/file_batches")):
            return
        options.json_data = {}
    body = options.json_data
    if isinstance(body.get("model"), str) or (path.startswith("/responses") and not path.endswith("/cancel")):
        body["model"] = ENCODER if path == "/embeddings" else MODEL
    if path in _NEED_A_BODY:
        body.setdefault("input", "Hello")
    if "/vector_stores" in path:
        _name_files(body, path)
    if "input_file_id" in body:
        body["input_file_id"] = batch_file()
    if path == "/uploads":
        body["bytes"] = len(_DATA)
    if path.endswith("/complete"):
        body["part_ids"] = [send_form(path.replace("/complete", "/parts"), {}, "data", _DATA)]
        body.pop("md5", None)


def _name_files(body: dict[str, Any], path: str) -> None:
    file = _OBJECTS.get("files", "", fresh=False)
    if "file_id" in body:
        body["file_id"] = file
    if body.get("file_ids") or path.endswith("/file_batches"):
        body["file_ids"] = [file]
        body.pop("files", None)


def _parents(url: str) -> frozenset[str]:
    """Ids that this plugin has put into the path already: the client prepares a retried request again."""
    return frozenset(re.findall(r"/([^/?]+)", url)) & _OBJECTS.kept


def pytest_configure() -> None:
    prepare, prepare_async = openai.OpenAI._prepare_options, openai.AsyncOpenAI._prepare_options

    def with_ids(self: openai.OpenAI, options: Any) -> Any:
        return prepare(self, with_real_ids(options))

    async def with_ids_async(self: openai.AsyncOpenAI, options: Any) -> Any:
        return await prepare_async(self, with_real_ids(options))

    openai.OpenAI._prepare_options = with_ids  # type: ignore[method-assign]
    openai.AsyncOpenAI._prepare_options = with_ids_async  # type: ignore[method-assign]
