"""An OpenAI-compatible server that repeats what models answered in OGX's recordings: recorded_model.py FOLDER [PORT]

FOLDER is a checkout of llamastack/llama-stack with its recordings. With `RAG_LLM__URL=http://localhost:PORT/v1` the
service has a language model that answers the questions of OGX's tests as a large one did, gpt-4o where it was recorded.
So the tests that read its answers and calls can be run. A question that was not recorded gets words without meaning.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODEL = "gpt-4o"
SUITES = ("responses", "inference", "batches")
_SEARCHES = ("file_search", "knowledge_search")
_UNKNOWN = " ".join(f"word{number}" for number in range(40))


class Recordings:
    """Answers by the last question of the user."""

    def __init__(self, folder: Path) -> None:
        self._by_question: dict[str, list[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]]] = defaultdict(list)
        for suite in SUITES:
            for path in sorted((folder / "tests/integration" / suite / "recordings").glob("*.json")):
                self._add(json.loads(path.read_text()))

    def _add(self, recording: Mapping[str, Any]) -> None:
        request, answer = recording["request"], recording["response"].get("body")
        is_chat = (request.get("endpoint") or "").endswith("/chat/completions")
        if not is_chat or not isinstance(answer, list):
            return
        chunks = [part["__data__"] for part in answer if "__data__" in part]
        if chunks and all("delta" in choice for chunk in chunks for choice in chunk.get("choices", [None])):
            self._by_question[_question(request["body"])].append((request["body"], chunks))

    def answer(self, body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
        """The chunks of the recorded answer that fits best."""
        question = _question(body)
        found = self._by_question.get(question) or next(
            (kept for asked, kept in self._by_question.items() if asked and asked in question), []
        )
        scored = [(_score(body, asked, chunks), position) for position, (asked, chunks) in enumerate(found)]
        return found[max(scored)[1]][1] if scored and max(scored)[0] > -100 else None


def _score(body: Mapping[str, Any], asked: Mapping[str, Any], chunks: Sequence[Mapping[str, Any]]) -> float:
    calls = _called(chunks)
    if calls - _names(body):
        return -100
    score = -10.0 * abs(_outputs(body) - _outputs(asked)) - 3 * abs(len(body["messages"]) - len(asked["messages"]))
    score += 5 * (_names(body) == _names(asked)) + 20 * (bool(_format(body)) == bool(_format(asked)))
    score += 4 * (asked.get("model") == MODEL)
    score += 15 * (_users(body) == _users(asked)) + 10 * _likeness(_outputs_text(body), _outputs_text(asked))
    score += 10 * (_format(body) == _format(asked)) + 5 * (_systems(body) == _systems(asked))
    single = body.get("parallel_tool_calls") is False
    score += 10 * (single == (asked.get("parallel_tool_calls") is False))
    return score + 2 * (body.get("logprobs") == asked.get("logprobs"))


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else " ".join(part.get("text") or "" for part in content or ())


def _question(body: Mapping[str, Any]) -> str:
    return next((_text(message) for message in reversed(body.get("messages", ())) if message["role"] == "user"), "")


def _systems(body: Mapping[str, Any]) -> list[str]:
    return [_text(message) for message in body["messages"] if message["role"] in ("system", "developer")]


def _outputs(body: Mapping[str, Any]) -> int:
    """Rounds of tools since the last question."""
    rounds = 0
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            break
        rounds += bool(message.get("tool_calls"))
    return rounds


def _users(body: Mapping[str, Any]) -> list[str]:
    return [_text(message) for message in body["messages"] if message["role"] == "user"]


def _outputs_text(body: Mapping[str, Any]) -> set[str]:
    """The words that tools returned."""
    texts = [_text(message) for message in body["messages"] if message["role"] == "tool"]
    return set(" ".join(texts).lower().split())


def _likeness(words: set[str], others: set[str]) -> float:
    return len(words & others) / max(1, len(words | others))


def _names(body: Mapping[str, Any]) -> set[str]:
    return {_plain(tool["function"]["name"]) for tool in body.get("tools") or ()}


def _called(chunks: Sequence[Mapping[str, Any]]) -> set[str]:
    calls = [
        call for chunk in chunks for choice in chunk["choices"] for call in choice["delta"].get("tool_calls") or ()
    ]
    return {_plain(call["function"]["name"]) for call in calls if (call.get("function") or {}).get("name")}


def _plain(name: str) -> str:
    """The search has two names in the recordings."""
    return _SEARCHES[0] if name in _SEARCHES else name


def _format(body: Mapping[str, Any]) -> Any:
    given = body.get("response_format") or {}
    return (given.get("json_schema") or {}).get("schema") or given.get("type", "text").replace("text", "")


def _as_ours(chunks: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The chunks, with calls of this service's `file_search`, whose arguments are `queries`."""
    searches: set[int] = set()
    for chunk in chunks:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls") or ():
                function = call.get("function") or {}
                if function.get("name") in _SEARCHES:
                    searches.add(call["index"])
                    function["name"] = _SEARCHES[0]
    whole = dict.fromkeys(searches, "")
    for chunk in chunks:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls") or ():
                if call["index"] in searches:
                    whole[call["index"]] += call["function"].get("arguments") or ""
                    call["function"]["arguments"] = ""
            if choice.get("finish_reason") and whole:
                yield _chunk({"tool_calls": [_search(index, text) for index, text in whole.items()]})
        yield chunk


def _search(index: int, arguments: str) -> Mapping[str, Any]:
    query = json.loads(arguments)["query"]
    return {"index": index, "function": {"arguments": json.dumps({"queries": [query]})}}


def _chunk(delta: Mapping[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}


def _cut(chunks: Sequence[Mapping[str, Any]], tokens: int) -> list[Mapping[str, Any]]:
    """As if the answer ended after this many chunks with text, which recordings have for each token."""
    kept: list[Mapping[str, Any]] = []
    for chunk in chunks:
        written = any(choice["delta"].get("content") for choice in chunk.get("choices", ()))
        tokens -= written
        if tokens < 0:
            usage = {"prompt_tokens": 10, "completion_tokens": len(kept), "total_tokens": 10 + len(kept)}
            return [*kept, _chunk({}, "length"), {**_chunk({}), "choices": [], "usage": usage}]
        kept.append(chunk)
    return kept


def _with_index(chunk: Mapping[str, Any], index: int) -> dict[str, Any]:
    return {**chunk, "choices": [{**choice, "index": index} for choice in chunk["choices"]]}


def _as_text(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """The chunk as one of `/v1/completions`."""
    choices = [{**choice, "text": choice["delta"].get("content") or ""} for choice in chunk["choices"]]
    return {**chunk, "object": "text_completion", "choices": choices}


def _unknown() -> list[Mapping[str, Any]]:
    words = [_chunk({"content": f"{word} "}) for word in _UNKNOWN.split()]
    usage = {"prompt_tokens": 10, "completion_tokens": len(words), "total_tokens": 10 + len(words)}
    return [*words, _chunk({}, "stop"), {**_chunk({}), "choices": [], "usage": usage}]


class Handler(BaseHTTPRequestHandler):
    recordings: Recordings

    def do_GET(self) -> None:
        model = {"id": MODEL, "object": "model", "created": 1, "owned_by": "recordings", "max_model_len": 32768}
        self._send("application/json", json.dumps({"object": "list", "data": [model]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        found = self.recordings.answer(body) if "messages" in body else None
        if found is None:
            print("not recorded:", repr(_question(body))[:100], sorted(_names(body)), file=sys.stderr, flush=True)
        chunks = list(_as_ours(json.loads(json.dumps(found)))) if found else _unknown()
        if (limit := body.get("max_tokens") or body.get("max_completion_tokens")) is not None:
            chunks = _cut(chunks, limit)
        chunks = [_with_index(chunk, index) for index in range(body.get("n") or 1) for chunk in chunks]
        if "prompt" in body:
            chunks = [_as_text(chunk) for chunk in chunks]
        self._send(
            "text/event-stream", "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        )

    def _send(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""


def main() -> None:
    Handler.recordings = Recordings(Path(sys.argv[1]))
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
