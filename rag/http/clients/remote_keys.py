"""The API keys and tenants in the Retriever's catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.auth.caller import caller_from_header
from rag.errors import DependencyUnavailable
from rag.http.auth.verified_keys import Verification, VerifiedKey
from rag.http.clients.service_client import ServiceClient
from rag.types import JsonMapping, JsonObject

_TIMEOUT_S = 5.0


class RemoteKeys:
    """Looks up API keys in the Retriever by the hashes of their secrets.

    Args:
        require: Called with the service's name if it does not respond; may raise Starting with more details.
    """

    def __init__(self, client: ServiceClient, require: Callable[[str], object]) -> None:
        self._client = client
        self._require = require

    async def look_up(self, digest: str | None) -> Verification:
        """See `rag.http.auth.verified_keys.LookUpKey`."""
        return _verification(await self._call("/authenticate", {"secret_hash": digest}))

    async def open_tenant(self, tenant: str, stores: Sequence[str] | None) -> Sequence[str] | None:
        """See `rag.http.auth.signed_tokens.token_callers.OpenTenant`."""
        body: JsonObject = {"tenant": tenant, "stores": None if stores is None else list(stores)}
        ids: list[str] | None = (await self._call("/open_tenant", body))["stores"]
        return ids

    async def _call(self, path: str, body: JsonObject) -> JsonMapping:
        try:
            answer: JsonMapping = await self._client.call(path, body, timeout_s=_TIMEOUT_S)
            return answer
        except DependencyUnavailable:
            self._require(self._client.name)
            raise


def _verification(wire: JsonMapping) -> Verification:
    if (key := wire["key"]) is None:
        return Verification(wire["required"])
    caller = caller_from_header(key["caller"])
    return Verification(wire["required"], VerifiedKey(caller, key["expires_at"], key["revoked"]))
