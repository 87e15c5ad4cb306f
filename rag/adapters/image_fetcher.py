"""Fetches images that requests name by URL, with aiohttp.

Requests must not reach hosts in the service's own network (server-side request forgery). So images are only fetched
from hosts that the settings list, redirects are not followed, and names that resolve to private addresses are refused.
Connections use the checked addresses. A private address can itself be listed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from rag.errors import InvalidRequest

_PORTS = {"http": 80, "https": 443}
_log = logging.getLogger("rag.images")


class _Inside(OSError):
    """A name that resolves to an address that is not public."""


class ImageFetcher:
    """A `rag.ports.ImageSource`.

    Args:
        hosts: Host names or addresses, each with a port unless it is the usual one of the scheme.
        timeout_s: Time limit of one image, connecting included.
        max_bytes: Maximum size of one image.
        resolver: How names are resolved; None: as the system does.
    """

    def __init__(
        self, hosts: Collection[str], *, timeout_s: float, max_bytes: int, resolver: AbstractResolver | None = None
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._resolver = resolver

    async def fetch(self, url: str) -> bytes:
        """See `rag.ports.ImageSource`."""
        host = self._allowed(url)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._fetched(url)
        except InvalidRequest:
            raise
        except TimeoutError:
            raise InvalidRequest(f"{host} did not send it within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            _log.warning("fetching an image from %s failed: %s", host, type(error).__name__)
            raise InvalidRequest(f"{host}: {_reason(error)}") from None

    def _allowed(self, url: str) -> str:
        """The host of the URL. Raises InvalidRequest if the settings do not allow it."""
        if not self._hosts:
            raise InvalidRequest(
                "this service fetches no images (RAG_LLM__IMAGE_HOSTS); send the image as a data URL, or upload it "
                "(POST /v1/files) and send its file_id"
            )
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise InvalidRequest("is not a valid URL") from None
        if parts.scheme not in _PORTS or not host or "@" in parts.netloc or "\\" in url or not url.isprintable():
            raise InvalidRequest("must be an http or https URL without a user name")
        named = f"[{host}]" if ":" in host else host
        wanted = named if port in (None, _PORTS[parts.scheme]) else f"{named}:{port}"
        if wanted not in self._hosts:
            raise InvalidRequest(f"images of {wanted[:200]!r} are not fetched; RAG_LLM__IMAGE_HOSTS lists the hosts")
        return host

    async def _fetched(self, url: str) -> bytes:
        resolver = _PublicOnly(self._resolver or aiohttp.ThreadedResolver())
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"accept": "image/*", "accept-encoding": "identity"},
            ) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                redirects = "; redirects are not followed" if 300 <= response.status < 400 else ""
                raise InvalidRequest(f"{response.url.host} answered with status {response.status}{redirects}")
            content = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                content += chunk
                if len(content) > self._max_bytes:
                    raise InvalidRequest(f"has more than {self._max_bytes} bytes (RAG_LLM__MAX_IMAGE_KIB)")
            return bytes(content)


class _PublicOnly(AbstractResolver):
    """Resolves names to public addresses. aiohttp does not resolve addresses, which are only allowed if listed."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        _check_public(found)
        return found

    async def close(self) -> None:
        await self._inner.close()


def _check_public(found: Sequence[ResolveResult]) -> None:
    for each in found:
        address = ipaddress.ip_address(each["host"].partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
        if not (address.is_global and mapped.is_global) or mapped.is_multicast or address.is_multicast:
            raise _Inside("not public")


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _Inside):
            return "its address is not public; list the address itself in RAG_LLM__IMAGE_HOSTS to allow it"
        cause = cause.__cause__ or cause.__context__
    return "it cannot be reached, or does not answer as a web server"
