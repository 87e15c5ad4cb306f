"""`python -m bench.abuse URL KEY ATTACK`: a client that sends as much as it can, until it is terminated.

It runs in a process of its own, so that it does not slow down the client that is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

TEXTS, TOKENS = 64, 512
"""The most that the default limits allow: `n` times `max_tokens` is 32,768."""
STORE = "abuse"
_PAUSE_S = 0.05
"""After a refusal: worse than any client that reads `Retry-After`."""
_numbers = itertools.count()
Attack = Callable[[aiohttp.ClientSession], Awaitable[None]]


async def many_texts(session: aiohttp.ClientSession) -> None:
    body = {"prompt": f"Story {next(_numbers)}:", "n": TEXTS, "max_tokens": TOKENS, "temperature": 1.0}
    await _post(session, "/generate", {**body, "ignore_eos": True})


async def large_choices(session: aiohttp.ClientSession) -> None:
    """Leaves before the grammar can be compiled."""
    number = next(_numbers)
    choice = [f"{number:06d}{each:04d}{'x' * 9}" for each in range(1024)]
    body = {"prompt": "Choose:", "max_tokens": 8, "structured_outputs": {"choice": choice}}
    try:
        async with asyncio.timeout(0.5):
            await _post(session, "/generate", body)
    except TimeoutError:
        pass


async def large_filters(session: aiohttp.ClientSession) -> None:
    number = next(_numbers)
    terms = [
        {"type": "in", "key": "filename", "value": [f"{number}-{part}-{each}.md" for each in range(256)]}
        for part in range(4)
    ]
    await _post(session, "/retrieve", {"query": f"filter {number}", "filters": {"type": "or", "filters": terms}})


async def many_questions(session: aiohttp.ClientSession) -> None:
    await _post(session, "/retrieve", {"query": f"What does the document say about number {next(_numbers)}?"})


async def uploads(session: aiohttp.ClientSession) -> None:
    """Five files of 281 KB at a time, each as an upload of its own."""
    await asyncio.gather(*(_upload(session, f"large-{next(_numbers)}.md", _large_text()) for _ in range(5)))


async def mail(session: aiohttp.ClientSession) -> None:
    """An e-mail with as many parameters of its type as the limit of its headers allows, and more."""
    number = next(_numbers)
    parameters = "".join(f';\r\n p{each}="{number}"' for each in range(20_000))
    text = f"From: a@example.org\r\nContent-Type: text/plain{parameters}\r\n\r\nHello"
    await _upload(session, f"mail-{number}.eml", text)


ATTACKS: dict[str, tuple[Attack, int]] = {
    "many texts": (many_texts, 4),
    "large choices": (large_choices, 16),
    "large filters": (large_filters, 16),
    "many questions": (many_questions, 200),
    "uploads": (uploads, 1),
    "mail": (mail, 4),
}
"""What is sent, and by how many users at the same time."""


def _large_text() -> str:
    number = next(_numbers)
    lines = (f"Line {line} of text {number} says that {line * number} is a number.\n\n" for line in range(5_000))
    return "".join(lines)[:281_000]


async def _post(session: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> None:
    async with session.post(path, json=body) as response:
        await response.read()
        if response.status == 429:
            await asyncio.sleep(_PAUSE_S)


async def _upload(session: aiohttp.ClientSession, name: str, text: str) -> None:
    form = aiohttp.FormData({"vector_store": STORE, "wait_s": "60"})
    form.add_field("files", text.encode(), filename=name)
    async with session.post("/ingest", data=form) as response:
        await response.read()


async def _forever(session: aiohttp.ClientSession, attack: Attack) -> None:
    while True:
        try:
            await attack(session)
        except aiohttp.ClientError:
            await asyncio.sleep(_PAUSE_S)


async def main(url: str, key: str, names: list[str]) -> None:
    headers = {"authorization": f"Bearer {key}"}
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector, timeout=timeout) as session:
        users = [_forever(session, attack) for name in names for attack, count in [ATTACKS[name]] for _ in range(count)]
        await asyncio.gather(*users)


def leave_the_cores() -> None:
    """Take only CPU time that nothing else needs: an abusive client would run on another machine."""
    os.nice(19)
    with contextlib.suppress(OSError):  # Linux gives each session of processes its own priority
        Path("/proc/self/autogroup").write_text("19")


if __name__ == "__main__":
    leave_the_cores()
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
