"""Third-party clients: the programs in examples/ as written, and clients that disconnect early."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.e2e.running import ENDLESS_TOKENS, LIMIT_S, ROOT, RunningService

EXAMPLES = ROOT / "examples"
QUESTION = "How long does an axolotl need to regrow a leg?"
ANSWER = r".*axolotl.*"
MODEL = r"smollm2-135m-instruct"
PRINTED: Mapping[str, tuple[str, ...]] = {
    "bentoml_client.py": (
        r"found: animals/axolotl\.md \d\.\d\d",
        r"sources: \[1\] animals/axolotl\.md \[2\] \S+",
        rf"answer: {ANSWER}",
        r"citations: \[[\d, ]*\]",
    ),
    "curl.sh": (
        r'\{"hits":\[\{"chunk_id".*"filename":"animals/axolotl\.md".*',
        r"event: sources",
        r"event: token",
        r'data: \{"finish_reason":.*"citations":.*',
        r'\{"id":"chatcmpl-.*"sources":\[.*"usage":.*',
        rf'\{{"object":"list","data":\[\{{"id":"rag".*"id":"{MODEL}".*"id":"all-MiniLM-L6-v2".*',
    ),
    "langchain_chain.py": (r"chain: .*\w.*", r"streamed: .*\w.*", rf"rag: {ANSWER}"),
    "langchain_embeddings.py": (r"0\.\d\d An owl turns its head by 270 degrees\.", r"0\.\d\d A (gull|heron) .*"),
    "langchain_retrieval.py": (r"answer: .*\w.*", r"from: \['animals/axolotl\.md', '[^']+'\]"),
    "llama_index_chat.py": (
        r"chat: .*\w.*",
        r"streamed: .*\w.*",
        rf"rag: {ANSWER}",
        r"sources: \['animals/axolotl\.md', '[^']+'\]",
    ),
    "openai_async.py": (ANSWER, ANSWER, ANSWER),
    "openai_chat.py": (
        rf"{MODEL}: .*\w.*",
        rf"rag: {ANSWER}",
        r"source \[1\]: animals/axolotl\.md 1\.00",
        r"source \[2\]: .*",
        r"streamed, and ended with (stop|length)",
        r"citations: \[[\d, ]*\]",
        r"\d+ tokens read, \d+ written",
        r"the same text: True",
    ),
    "openai_documents.py": (r"owl\.md: completed", r"found: owl\.md \d\.\d\d", r"answer: .*\w.*"),
    "openai_embeddings.py": (r"all-MiniLM-L6-v2: 384 dimensions, \d+ tokens read", r"owl 0\.[45]\d, gull 0\.[12]\d"),
    "openai_responses.py": (
        r"found: \['animals/axolotl\.md', '[^']+'\]",
        rf"answer: {ANSWER}",
        r"cited: \[.*\]",
        rf"streamed: {ANSWER}",
        r"status: (completed|incomplete), \d+ tokens written",
    ),
    "outlines_structured.py": (
        r"text: .*\w.*",
        r"choice: (good|bad)",
        r"regex: (\d{1,3}\.){3}\d{1,3}",
        r"json: name='.*' legs=\d+",
        r"cfg: \d\d? [+-] \d\d?",
        r"response_format: name='.*' legs=\d+",
    ),
}
"""Patterns of lines that each example prints, in this order. Other lines may be printed in between."""
SHORT = ("bentoml_client.py", "curl.sh", "openai_chat.py", "openai_documents.py")
"""The examples of the most common clients. The others have the marker `long`, because their frameworks start slowly."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SHORT else [pytest.mark.long]) for name in PRINTED]
)
def test_an_example_runs_and_cleans_up(filled: RunningService, name: str) -> None:
    before = stored_ids(filled)
    command = ["sh" if name.endswith(".sh") else sys.executable, str(EXAMPLES / name), QUESTION]
    environment = {**os.environ, "RAG_URL": filled.url, "PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    lines = iter(done.stdout.splitlines())
    for pattern in PRINTED[name]:
        assert any(re.fullmatch(pattern, line) for line in lines), f"no {pattern!r} in {done.stdout}"
    assert stored_ids(filled) == before


def test_each_example_is_run_and_listed() -> None:
    present = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh")}
    assert present == set(PRINTED)
    listed = set(re.findall(r"^\| \[`([\w.]+)`\]\(\1\)", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert listed == present


def stored_ids(service: RunningService) -> dict[str, list[str]]:
    """Ids of the files and vector stores that exist: an example must not leave any."""
    return {
        name: sorted(one["id"] for one in service.get(f"/v1/{name}?limit=100").json()["data"])
        for name in ("files", "vector_stores")
    }


DISCONNECT_AFTER_S = 0.5
IN_A_WAVE = 50


@pytest.mark.parametrize("waves", [2, pytest.param(4, marks=pytest.mark.long)])
async def test_the_engine_is_idle_after_clients_disconnect(filled: RunningService, waves: int) -> None:
    """Half of the clients disconnect while they wait for a plain answer, half in the middle of a stream."""
    async with httpx.AsyncClient(
        base_url=filled.url, limits=httpx.Limits(max_connections=None), timeout=LIMIT_S
    ) as client:
        for _ in range(waves):
            ends = await asyncio.gather(*(disconnect_early(client, body) for body in bodies(IN_A_WAVE)))
            assert ends == ["disconnected"] * IN_A_WAVE
    filled.wait_until_idle()
    answered = filled.post("/v1/chat/completions", body(0, model="rag", stream=False, max_tokens=5))
    assert answered.status_code == 200


def bodies(count: int) -> Iterator[dict[str, Any]]:
    """Chats with and without documents, streamed and plain, each with another question."""
    kinds = [(model, stream) for model in ("rag", "smollm2-135m-instruct") for stream in (True, False)]
    for number in range(count):
        model, stream = kinds[number % len(kinds)]
        yield body(number, model=model, stream=stream, max_tokens=ENDLESS_TOKENS - 1000)


def body(number: int, **options: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"{QUESTION} Tell it in {number + 100} words."}]
    return {"messages": messages, "min_tokens": options["max_tokens"], **options}


async def disconnect_early(client: httpx.AsyncClient, body: Mapping[str, Any]) -> str:
    """Disconnect after `DISCONNECT_AFTER_S`; from a stream only after its headers, so the engine is busy."""
    try:
        if not body["stream"]:
            async with asyncio.timeout(DISCONNECT_AFTER_S):
                return (await client.post("/v1/chat/completions", json=body)).text
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != 200:
                return (await response.aread()).decode()
            async with asyncio.timeout(DISCONNECT_AFTER_S):
                return (await response.aread()).decode()
    except TimeoutError:
        return "disconnected"
