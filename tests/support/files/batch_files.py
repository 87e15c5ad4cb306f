"""Input files of batches, and what is in their output files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import openai

from tests.e2e.running import wait_until

ENDED = ("completed", "failed", "expired", "cancelled")


def a_line(custom_id: str, body: Mapping[str, Any], url: str = "/v1/chat/completions", **fields: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body, **fields}


def chat_line(custom_id: str, text: str, model: str = "rag", **fields: Any) -> dict[str, Any]:
    return a_line(custom_id, {"model": model, "messages": [{"role": "user", "content": text}], **fields})


def jsonl(lines: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def create_batch(client: openai.OpenAI, lines: Iterable[Mapping[str, Any]], **options: Any) -> Any:
    file = client.files.create(file=("requests.jsonl", jsonl(lines)), purpose="batch")
    wanted: Any = {"endpoint": "/v1/chat/completions", "completion_window": "24h", **options}
    return client.batches.create(input_file_id=file.id, **wanted)


def ended(client: openai.OpenAI, batch_id: str) -> Any:
    """The batch, once it has ended."""
    wait_until(lambda: client.batches.retrieve(batch_id).status in ENDED, what=f"{batch_id} did not end")
    return client.batches.retrieve(batch_id)


def lines_of(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    if file_id is None:
        return []
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]
