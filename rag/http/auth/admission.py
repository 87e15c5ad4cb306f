"""`Admission`: authenticates requests for the middleware of each service."""

from __future__ import annotations

import hmac
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import Scope as AsgiScope

from rag.auth.caller import WITHOUT_KEY, Caller, caller_from_header
from rag.errors import Forbidden, Unauthenticated

CALLER_HEADER = "x-rag-caller"
"""Who sent the request to the edge. Only the edge sets it; it forwards no header of this name."""
SERVICE_KEY_HEADER = "x-rag-service-key"
CALLER = "rag.caller"
"""In the scope of a request at the edge: the `Caller` whose key it has, also if the request is then refused."""


class Admission(Protocol):
    async def admit(self, scope: AsgiScope, response_headers: MutableMapping[str, str]) -> Caller:
        """Who sent the request.

        Args:
            response_headers: Headers are added that the response must have, whether or not the request is admitted.

        Raises:
            Unauthenticated: the request has no valid key.
            InsufficientPermissions: the key may not use this route.
            RateLimitExceeded: the key has sent too many requests.
            Unavailable: the key cannot be checked now.
        """
        ...


@dataclass(frozen=True, slots=True)
class ServiceAdmission:
    """The admission of inner services: admits the other services of this bundle.

    Args:
        service_key: The key that they must send; None if they run on the same machine.
        is_exposed: Whether other machines can connect although there is no key. All requests are refused then.
    """

    service_key: str | None = None
    is_exposed: bool = False

    async def admit(self, scope: AsgiScope, response_headers: MutableMapping[str, str]) -> Caller:
        """See `Admission`."""
        headers = Headers(scope=scope)
        if self.service_key is None:
            if self.is_exposed:
                raise Forbidden(
                    "other machines can connect to this service, and it has no key: set RAG_SERVER__SERVICE_KEY to the "
                    "same text for all services, or RAG_SERVER__OPEN=true where only they can connect"
                )
        elif not hmac.compare_digest(headers.get(SERVICE_KEY_HEADER, "").encode(), self.service_key.encode()):
            raise Unauthenticated("the service key is missing or wrong: set RAG_SERVER__SERVICE_KEY in all services")
        if (value := headers.get(CALLER_HEADER)) is None:
            return WITHOUT_KEY
        try:
            return caller_from_header(value)
        except ValueError:
            raise Unauthenticated("the header of the caller cannot be read") from None
