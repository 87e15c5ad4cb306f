"""Conversations that are long enough to be compacted."""

from __future__ import annotations

from typing import Any

from tests.support.servers.edge_service import MODEL, EdgeService

LONG = "word " * 30
THRESHOLD: Any = [{"type": "compaction", "compact_threshold": 200}]
TALK: list[Any] = [
    {"role": "user", "content": "Remember: the secret word is banana."},
    {"role": "assistant", "content": "Got it."},
]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def exchanges(count: int) -> list[Any]:
    roles = {"user": "question", "assistant": "answer"}
    return [{"role": role, "content": f"{text} {n} {LONG}"} for n in range(count) for role, text in roles.items()]


def asked(edge: EdgeService) -> list[str]:
    """The conversation that the language model was asked last."""
    return [message["content"] for message in edge.generator.requests[-1][0].messages]


async def compact(edge: EdgeService, **body: Any) -> Any:
    return await edge.post("/v1/responses/compact", {"model": MODEL, **body})
