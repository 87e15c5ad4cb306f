"""Requests in the form in which Open WebUI sends them to a connection of type OpenAI. They were not recorded.

`routers/openai.py` in its source sends chats without their `metadata`; `routers/tasks.py` asks for titles, tags and
follow-up questions; `retrieval/utils.py` and `retrieval/models/external.py` embed and rerank. The prompts are ours.
"""

from __future__ import annotations

from typing import Any

_WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_QUESTION = {"role": "user", "content": "What is the weather in Paris?"}


def first_chat(model: str) -> dict[str, Any]:
    """Native function calling: tools are sent with the first message."""
    return {"stream": True, "model": model, "messages": [_QUESTION], "tools": [_WEATHER]}


def chat_after_a_call(model: str, call: dict[str, Any]) -> dict[str, Any]:
    calling = {"role": "assistant", "content": "", "tool_calls": [call]}
    returned = {"role": "tool", "tool_call_id": call["id"], "content": "sunny in Paris"}
    return {"model": model, "stream": True, "tools": [_WEATHER], "messages": [_QUESTION, calling, returned]}


def task(model: str, wanted: str) -> dict[str, Any]:
    """Args: `wanted` is what the language model is asked to write about the chat: a title, tags, questions."""
    prompt = f"### Task:\nGenerate {wanted} as JSON.\n<chat_history>\nUSER: {_QUESTION['content']}\n</chat_history>"
    return {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "stream": False,
        "max_completion_tokens": 1000,
    }


def embedding(model: str, texts: list[str]) -> dict[str, Any]:
    return {"input": texts, "model": model}


def reranking(query: str, documents: list[str]) -> dict[str, Any]:
    return {"model": "rerank", "query": query, "documents": documents, "top_n": len(documents)}
