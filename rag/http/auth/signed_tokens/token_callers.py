"""The callers of signed tokens: verified at the edge, with the vector stores of the Retriever's catalog."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from cachetools import TTLCache

from rag.auth.caller import Caller
from rag.auth.limits import NO_LIMITS, Limits
from rag.errors import Starting
from rag.http.auth.signed_tokens.token_claims import ClaimNames

if TYPE_CHECKING:  # it imports cryptography, which only services that accept tokens need
    from rag.http.auth.signed_tokens.token_verifier import TokenVerifier

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")
_FRESH_S = 60.0
"""How long the ids of a token's vector stores are used."""
_MAX_KNOWN = 4096

OpenTenant = Callable[[str, Sequence[str] | None], Awaitable[Sequence[str] | None]]
"""Creates a tenant's vector store `default` if it is missing. Returns the ids of those of the vector stores, given by
name or id, that exist."""


class TokenCallers:
    """Callers by their tokens.

    Args:
        limits: Of each subject.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        verifier: TokenVerifier,
        names: ClaimNames,
        limits: Limits = NO_LIMITS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verifier = verifier
        self._names = names
        self._limits = limits
        self._open: OpenTenant | None = None
        self._stores: TTLCache[tuple[str, tuple[str, ...] | None], frozenset[str] | None] = TTLCache(
            _MAX_KNOWN, _FRESH_S, clock
        )

    def use(self, open_tenant: OpenTenant) -> None:
        """Set the function that opens tenants; until then the service is starting."""
        self._open = open_tenant

    async def caller(self, token: str) -> Caller:
        """Raises as `Admission.admit`."""
        owner = self._names.owner(await self._verifier.claims(token))
        stores = await self._store_ids(owner.tenant, owner.stores)
        return Caller(owner.key_id, owner.tenant, owner.scopes, stores, self._limits, groups=owner.groups)

    async def _store_ids(self, tenant: str, stores: tuple[str, ...] | None) -> frozenset[str] | None:
        if (tenant, stores) in self._stores:
            return self._stores[tenant, stores]
        if self._open is None:
            raise Starting("the service is starting")
        found = await self._open(tenant, stores)
        ids = None if found is None else frozenset(found)
        self._stores[tenant, stores] = ids
        return ids


def could_be_token(text: str) -> bool:
    """Whether the text has the form of a token: three parts of base64. The secrets of API keys have no dots."""
    return _FORM.fullmatch(text) is not None
