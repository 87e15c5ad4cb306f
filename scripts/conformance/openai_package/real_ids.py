"""Pytest plugin for the API tests of the `openai` package: the ids of their requests become those of real objects.

The tests are written for a mock, which knows every id and every model. This plugin creates the objects that a request
names, in the service at `TEST_API_BASE_URL`, and names this service's models. It changes nothing else. A request that
deletes gets an object of its own.
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
_NAMED = re.compile(r"/(vector_stores|file_batches|files|responses|conversations|items|chat/completions)/([^/?]+)")
_ROUTES = ("input_tokens", "compact")
"""Steps of a path that are no ids."""
_MOCKED = re.compile(r"/files/[^/]+/content")
"""Requests for which the tests have a mock of their own."""
_INDEX_TIMEOUT_S = 120.0


def call(method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(URL + path, data, headers, method=method), timeout=120
    ) as answer:
        return json.load(answer)


def upload() -> str:
    boundary = "conformance"
    fields = f'--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    name = f"{time.monotonic_ns()}.txt"
    file = f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\nA text, {name}.\r\n'
    data = f"{fields}{file}--{boundary}--\r\n".encode()
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    with urllib.request.urlopen(urllib.request.Request(f"{URL}/files", data, headers), timeout=120) as answer:
        created: str = json.load(answer)["id"]
        return created


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
_OBJECTS = Objects()


def with_real_ids(options: Any) -> Any:
    """The request with ids of real objects in its path and its body."""
    if _MOCKED.fullmatch(options.url):
        return options
    parents = _parents(options.url)
    deletes = options.method.lower() == "delete"
    path, names = options.url, list(_NAMED.finditer(options.url))
    parent = ""
    for position, found in enumerate(names):
        kind, old = found.groups()
        if old in _ROUTES or old in parents:
            continue
        last = position == len(names) - 1
        parent = _OBJECTS.get(kind, parent, fresh=deletes and last)
        path = path.replace(f"/{kind}/{old}", f"/{kind}/{parent}", 1)
    options.url = path
    body = options.json_data
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        body["model"] = ENCODER if path == "/embeddings" else MODEL
    if options.method.lower() == "get" and path.startswith("/models/"):
        options.url = f"/models/{MODEL}"
    if isinstance(body, dict) and "/vector_stores" in path:
        if "file_id" in body:
            body["file_id"] = _OBJECTS.get("files", "", fresh=False)
        if body.get("file_ids"):
            body["file_ids"] = [_OBJECTS.get("files", "", fresh=False)]
    return options


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
