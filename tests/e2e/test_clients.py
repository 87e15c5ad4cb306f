"""Programs of others at this service: the examples as they stand, and clients that lose patience."""

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
"""What each example prints, in this order; other lines may stand between."""
SHORT = ("bentoml_client.py", "curl.sh", "openai_chat.py", "openai_documents.py")
"""The examples of the clients that most people use; the others are long because their frameworks start slowly."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SHORT else [pytest.mark.long]) for name in PRINTED]
)
def test_an_example_runs_and_leaves_nothing(filled: RunningService, name: str) -> None:
    before = kept(filled)
    command = ["sh" if name.endswith(".sh") else sys.executable, str(EXAMPLES / name), QUESTION]
    environment = {**os.environ, "RAG_URL": filled.url, "PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    lines = iter(done.stdout.splitlines())
    for pattern in PRINTED[name]:
        assert any(re.fullmatch(pattern, line) for line in lines), f"no {pattern!r} in {done.stdout}"
    assert kept(filled) == before


def test_each_example_is_run_and_listed() -> None:
    there = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh")}
    assert there == set(PRINTED)
    listed = set(re.findall(r"^\| \[`([\w.]+)`\]\(\1\)", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert listed == there


def kept(service: RunningService) -> dict[str, list[str]]:
    """Ids of all that an example could leave behind."""
    return {
        name: sorted(one["id"] for one in service.get(f"/v1/{name}?limit=100").json()["data"])
        for name in ("files", "vector_stores")
    }


GIVE_UP_S = 0.5
WAVES, IN_A_WAVE = 4, 50


async def test_clients_that_give_up_leave_an_idle_engine(filled: RunningService) -> None:
    """200 of them: half give up on the answer, half in the middle of their stream."""
    async with httpx.AsyncClient(
        base_url=filled.url, limits=httpx.Limits(max_connections=None), timeout=LIMIT_S
    ) as client:
        for _ in range(WAVES):
            ends = await asyncio.gather(*(give_up(client, body) for body in bodies(IN_A_WAVE)))
            assert ends == ["gave up"] * IN_A_WAVE
    filled.wait_until_idle()
    answered = filled.post("/v1/chat/completions", body(0, model="rag", stream=False, max_tokens=5))
    assert answered.status_code == 200


def bodies(count: int) -> Iterator[dict[str, Any]]:
    """Of chats with and without documents, streamed and plain, no two alike."""
    kinds = [(model, stream) for model in ("rag", "smollm2-135m-instruct") for stream in (True, False)]
    for number in range(count):
        model, stream = kinds[number % len(kinds)]
        yield body(number, model=model, stream=stream, max_tokens=ENDLESS_TOKENS - 1000)


def body(number: int, **options: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"{QUESTION} Tell it in {number + 100} words."}]
    return {"messages": messages, "min_tokens": options["max_tokens"], **options}


async def give_up(client: httpx.AsyncClient, body: Mapping[str, Any]) -> str:
    """Whoever streams has waited for the head, so that the engine is at work."""
    try:
        if not body["stream"]:
            async with asyncio.timeout(GIVE_UP_S):
                return (await client.post("/v1/chat/completions", json=body)).text
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != 200:
                return (await response.aread()).decode()
            async with asyncio.timeout(GIVE_UP_S):
                return (await response.aread()).decode()
    except TimeoutError:
        return "gave up"
