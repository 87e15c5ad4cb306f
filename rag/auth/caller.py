"""Who sent the request that is being served.

The edge authenticates the request and sets the caller; it travels to the other services in a header that no client can
set. The catalog's queries read it, so that no code path can forget it.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass

from rag.auth.limits import NO_LIMITS, Limits, Subject
from rag.auth.scopes import SCOPES, Scope
from rag.errors import InsufficientPermissions

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """An API key's permissions."""

    key_id: str
    """Empty without a key."""
    tenant: str
    scopes: frozenset[Scope]
    stores: frozenset[str] | None = None
    """Ids of the only vector stores that it may use; None: all of the tenant."""
    key_limits: Limits = NO_LIMITS
    tenant_limits: Limits = NO_LIMITS
    """Of all requests of the tenant together."""

    @property
    def subjects(self) -> tuple[Subject, Subject]:
        """Whose limits a request counts towards."""
        return Subject("key", self.key_id, self.key_limits), Subject("tenant", self.tenant, self.tenant_limits)

    def may(self, *any_of: Scope) -> bool:
        """Whether it has one of the scopes. `admin` includes all others."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(any_of)

    def require(self, *any_of: Scope) -> None:
        """Raises InsufficientPermissions if it has none of the scopes."""
        if not self.may(*any_of):
            names = " or ".join(any_of)
            raise InsufficientPermissions(f"the API key lacks the scope {names}, which this request needs")


WITHOUT_KEY = Caller("", DEFAULT_TENANT, frozenset(SCOPES))
"""The caller when no key is needed: everything in the default tenant is allowed."""

INTERNAL = Caller("", "", frozenset())
"""The caller for work that no request caused, such as jobs. No tenant has this name."""

current_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)
"""None outside of requests: jobs, the janitor, the start. Such work is not restricted."""


def current_tenant() -> str:
    """The tenant of the current request; the default one outside of requests."""
    caller = current_caller.get()
    return DEFAULT_TENANT if caller is None else caller.tenant


def prefix_cache_salt() -> str | None:
    """vLLM's `cache_salt`: requests share cached prompts only with the same salt, so no tenant can find out by
    `cached_tokens` what another one asked. None for the default tenant.
    """
    tenant = current_tenant()
    return None if tenant == DEFAULT_TENANT else f"tenant:{tenant}"


def require(*any_of: Scope) -> None:
    """Raises InsufficientPermissions if the current request's key has none of the scopes."""
    if (caller := current_caller.get()) is not None:
        caller.require(*any_of)


def caller_to_header(caller: Caller) -> str:
    stores = None if caller.stores is None else sorted(caller.stores)
    limits = [caller.key_limits.to_json(), caller.tenant_limits.to_json()]
    return json.dumps([caller.key_id, caller.tenant, sorted(caller.scopes), stores, *limits], separators=(",", ":"))


def caller_from_header(value: str) -> Caller:
    """Raises ValueError if the value was not made by `caller_to_header`."""
    try:
        key_id, tenant, scopes, stores, *limits = json.loads(value)
        key_limits, tenant_limits = map(Limits.from_json, limits)
        stores = None if stores is None else frozenset(stores)
        return Caller(str(key_id), str(tenant), frozenset(scopes), stores, key_limits, tenant_limits)
    except (TypeError, ValueError, AttributeError):
        raise ValueError("not a caller") from None
