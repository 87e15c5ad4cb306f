"""Admits requests at the edge: `Authorization: Bearer` with an API key or token, and the scopes of its route."""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Callable, MutableMapping
from dataclasses import replace

from starlette.datastructures import Headers
from starlette.types import Scope as AsgiScope

from rag.auth.caller import DEFAULT_TENANT, WITHOUT_KEY, Caller
from rag.auth.key_secret import could_be_secret, hash_of
from rag.auth.limits import NO_LIMITS, Limits
from rag.auth.scopes import SCOPES
from rag.errors import Starting, Unauthenticated
from rag.http.auth.admission import CALLER
from rag.http.auth.rate_limit import RateLimits
from rag.http.auth.route_table import RouteTable
from rag.http.auth.signed_tokens.token_callers import TokenCallers, could_be_token
from rag.http.auth.token_limits import TokenLimits
from rag.http.auth.verified_keys import Verification, VerifiedKeys
from rag.http.in_process import IS_PART, SENT_FOR

ADMIN_KEY_ID = "admin"
"""The id of the key that `RAG_SERVER__ADMIN_KEY` sets. It is not in the catalog."""
_HOW_TO_SEND = "send it as Authorization: Bearer KEY"


class EdgeAdmission:
    """Admits requests by their API keys, or signed tokens.

    Args:
        requests: Enforces the limits of requests.
        tokens: Enforces the limits of tokens; None: nothing uses any.
        admin_key: The first admin key, from the settings.
        is_open: Whether a gateway authenticates, so that no request needs a key.
        is_local: Whether only programs on this machine can connect. They need no key until there is one.
        tenant_limits: Returns the limits of a tenant.
        token_callers: None: signed tokens are not accepted.
    """

    def __init__(
        self,
        routes: RouteTable,
        requests: RateLimits,
        tokens: TokenLimits | None = None,
        *,
        admin_key: str | None = None,
        is_open: bool = False,
        is_local: bool = False,
        tenant_limits: Callable[[str], Limits] = lambda tenant: NO_LIMITS,
        token_callers: TokenCallers | None = None,
    ) -> None:
        self._admin_hash = None if admin_key is None else hash_of(admin_key)
        self._is_open = is_open
        self._needs_none = is_local and admin_key is None and token_callers is None
        """Whether no key is needed until there is one."""
        self._token_callers = token_callers
        self._routes = routes
        self._tenant_limits = tenant_limits
        self._requests = requests
        self._tokens = tokens
        self._keys: VerifiedKeys | None = None

    def use(self, keys: VerifiedKeys) -> None:
        """Set the source of keys; until then the service is starting."""
        self._keys = keys

    def summary(self, *, keys_exist: bool) -> str:
        """Who may use the service, for the log."""
        if self._is_open:
            return "no API key is needed (RAG_SERVER__OPEN): a gateway must authenticate requests"
        if self._token_callers is not None:
            return "API keys or signed tokens are needed"
        if keys_exist or not self._needs_none:
            return "API keys are needed"
        return "no API keys exist, so every program on this machine may use it"

    async def admit(self, scope: AsgiScope, response_headers: MutableMapping[str, str]) -> Caller:
        """See `Admission`."""
        route = self._routes.find(scope["method"], scope["path"])
        if not route.scopes:
            return _from(scope, WITHOUT_KEY)
        known = _from(scope, scope.get(SENT_FOR) or await self._sender(scope))
        caller = scope[CALLER] = replace(known, tenant_limits=self._tenant_limits(known.tenant))
        if IS_PART not in scope:
            await self._requests.count(caller, response_headers)
        caller.require(*route.scopes)
        if route.uses_tokens and self._tokens is not None:
            await self._tokens.check(caller, response_headers)
        return caller

    async def _sender(self, scope: AsgiScope) -> Caller:
        return WITHOUT_KEY if self._is_open else await self._caller(_bearer(Headers(scope=scope)), scope)

    async def _caller(self, secret: str | None, scope: AsgiScope) -> Caller:
        if self._is_admin_key(secret):
            return Caller(ADMIN_KEY_ID, DEFAULT_TENANT, frozenset(SCOPES))
        if self._token_callers is not None and secret is not None and could_be_token(secret):
            return await self._token_callers.caller(secret)
        if self._keys is None:
            raise Starting("the service is starting")
        known = await self._keys.verify(None if secret is None or not could_be_secret(secret) else hash_of(secret))
        if (key := known.key) is not None:
            scope[CALLER] = key.caller
            if known.problem(time.time()) is None:
                return key.caller
        if self._needs_none and not known.required:
            return WITHOUT_KEY
        raise Unauthenticated(_reason(secret, known, accepts_tokens=self._token_callers is not None))

    def _is_admin_key(self, secret: str | None) -> bool:
        """Whether it is the key of the settings. Hashes of equal length are compared in constant time."""
        if secret is None or self._admin_hash is None:
            return False
        return hmac.compare_digest(hash_of(secret), self._admin_hash)


def _from(scope: AsgiScope, caller: Caller) -> Caller:
    """The caller; without a key it is identified by its address."""
    return caller if caller.key_id else replace(caller, source=_client_network(scope))


def _client_network(scope: AsgiScope) -> str:
    """The client's address; for IPv6 its first half, because one client can use all addresses of a /64 network."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped is not None:
        return str(getattr(address, "ipv4_mapped", address))
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def _bearer(headers: Headers) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def _reason(secret: str | None, known: Verification, *, accepts_tokens: bool) -> str:
    if accepts_tokens and secret is None:
        return "this service needs an API key or a signed token; send it as Authorization: Bearer TOKEN"
    if not known.required and not accepts_tokens:
        return (
            "no API key exists yet: make one with `python -m rag keys create NAME --scopes admin`, or set "
            f"RAG_SERVER__ADMIN_KEY; {_HOW_TO_SEND}"
        )
    if secret is None:
        return f"this service needs an API key; {_HOW_TO_SEND}"
    problem = known.problem(time.time())
    return f"the API key {problem}" if problem else f"the API key is not known; {_HOW_TO_SEND}"
