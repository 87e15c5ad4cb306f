"""Refuses requests that a web page of another site makes a browser send.

A browser sends requests to services on its own machine or network for any page that is open in it. Two kinds matter
here: requests with an effect, which need no permission of the service (cross-site request forgery), and requests to a
host name of the page that is pointed at this machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from rag.errors import Forbidden, InvalidRequest, RagError

ANY = "*"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "host.docker.internal"})


@dataclass(frozen=True, slots=True)
class BrowserGuard:
    """Which host names and origins requests may have. Programs other than browsers send no origin.

    Args:
        hosts: Names at which the service may be reached, besides `localhost` and IP addresses; `*`: all. A name that
            begins with a dot stands for all its subdomains.
        origins: Origins, such as `https://intranet.example`, whose pages may send any request; `*`: all.
    """

    hosts: Collection[str] = ()
    origins: Collection[str] = ()

    def refusal(self, scope: Scope) -> RagError | None:
        """Why the request is refused; None if it is not."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_own(host):
            return Forbidden(f"the host name {host[:200]!r} is not one of this service; add it to RAG_SERVER__HOSTS")
        if scope["method"] in _SAFE_METHODS:
            return None
        if self._is_foreign(headers, host):
            origin = headers.get("origin") or "another site"
            return Forbidden(
                f"a page of {origin[:200]!r} may not send requests; RAG_SERVER__ORIGINS lists the origins that may"
            )
        if _has_body(headers) and not headers.get("content-type", "").strip():
            return InvalidRequest("the body has no content type; send the header content-type", param="content-type")
        return None

    def _is_own(self, host: str) -> bool:
        name = _hostname(host)
        if not name or ANY in self.hosts or name in _LOCAL_NAMES or name.endswith(".localhost") or _is_address(name):
            return True
        return any(name == each or (each.startswith(".") and name.endswith(each)) for each in self.hosts)

    def _is_foreign(self, headers: Headers, host: str) -> bool:
        origin = headers.get("origin")
        if ANY in self.origins or origin in self.origins:
            return False
        if origin is not None:
            return urlsplit(origin).netloc.lower() != host.lower()
        return headers.get("sec-fetch-site") == "cross-site"


def _hostname(host: str) -> str:
    """The name or address in a `Host` header, in lower case, without port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower().rstrip(".") if ":" in host else host.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
