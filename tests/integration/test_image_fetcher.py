"""Images of other servers, over real HTTP: only from hosts that are listed, within limits, and from nowhere inside."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rag.adapters.image_fetcher import ImageFetcher
from rag.errors import InvalidRequest
from tests.support.servers.loopback import served

pytestmark = pytest.mark.integration


class NamesAt(AbstractResolver):
    """Every name has this address."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        return [
            ResolveResult(hostname=host, host=self._address, port=port, family=family, proto=0, flags=0),
        ]

    async def close(self) -> None:
        return


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """The host and port of a server with images."""
    asked = asyncio.Event()

    async def image(_: Request) -> Response:
        return Response(b"x" * 100, media_type="image/png")

    async def large(_: Request) -> Response:
        return Response(b"x" * 101)

    async def redirect(_: Request) -> Response:
        return RedirectResponse("/image")

    async def late(_: Request) -> Response:
        await asked.wait()
        return Response(b"")

    routes = [Route(f"/{handler.__name__}", handler) for handler in (image, large, redirect, late)]
    async with served(Starlette(routes=routes)) as url:
        yield urlsplit(url).netloc
        asked.set()


def a_fetcher(*hosts: str, at: str | None = None, timeout_s: float = 60) -> ImageFetcher:
    resolver = None if at is None else NamesAt(at)
    return ImageFetcher(hosts, timeout_s=timeout_s, max_bytes=100, resolver=resolver)


async def refusal(fetcher: ImageFetcher, url: str) -> str:
    with pytest.raises(InvalidRequest) as refused:
        await fetcher.fetch(url)
    return refused.value.message


async def test_an_image_of_a_listed_address_is_fetched(server: str) -> None:
    assert await a_fetcher(server).fetch(f"http://{server}/image") == b"x" * 100


async def test_nothing_is_fetched_unless_hosts_are_listed(server: str) -> None:
    assert "RAG_LLM__IMAGE_HOSTS" in await refusal(a_fetcher(), f"http://{server}/image")


@pytest.mark.parametrize(
    "url",
    [
        "http://x.org:8080/a.png",
        "https://y.x.org/a.png",
        "https://x.org.evil.org/a.png",
        "https://x.org@evil.org/a.png",
        "https://evil.org\\@x.org/a.png",
        "ftp://x.org/a.png",
        "file:///etc/passwd",
        "http://[::1/a.png",
        "http://127.0.0.1/a.png",
        "http://2130706433/a.png",
    ],
)
async def test_other_urls_are_refused(url: str) -> None:
    assert await refusal(a_fetcher("x.org"), url)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1", "fd00::1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "224.0.0.1", "100.64.0.1"],
)  # fmt: skip
async def test_a_name_with_an_address_inside_is_refused(address: str) -> None:
    assert "not public" in await refusal(a_fetcher("x.org", at=address), "http://x.org/image")


@pytest.mark.parametrize(
    ("path", "reason"), [("large", "more than 100 bytes"), ("redirect", "not followed"), ("nowhere", "status 404")]
)
async def test_what_a_server_may_not_do(server: str, path: str, reason: str) -> None:
    assert reason in await refusal(a_fetcher(server), f"http://{server}/{path}")


async def test_a_server_that_does_not_answer_is_given_up(server: str) -> None:
    assert "within 0.2 s" in await refusal(a_fetcher(server, timeout_s=0.2), f"http://{server}/late")
