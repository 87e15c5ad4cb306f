"""The caller: who sent the current request.

The edge authenticates the request and sets the caller; the other services get it in a header that no client can set.
The catalog's queries read it themselves, so no code path can forget it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace

from rag.auth.limits import NO_LIMITS, Limits, Subject
from rag.auth.scopes import SCOPES, Scope
from rag.errors import InsufficientPermissions

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request, with the permissions of its API key or signed token."""

    key_id: str
    """Empty without a key."""
    tenant: str
    scopes: frozenset[Scope]
    stores: frozenset[str] | None = None
    """Ids of the only vector stores that it may use; None: all of the tenant."""
    key_limits: Limits = NO_LIMITS
    tenant_limits: Limits = NO_LIMITS
    """Limits of all requests of the tenant together."""
    source: str = ""
    """The client's address if there is no key; the vector store if a job works for it."""
    groups: frozenset[str] = frozenset()
    """Groups that it belongs to. Documents may be restricted to some groups."""
    in_background: bool = False
    """Whether the work is a response in the background or a line of a batch."""

    @property
    def subjects(self) -> tuple[Subject, Subject]:
        """The key and the tenant, whose limits a request counts towards."""
        return Subject("key", self.key_id, self.key_limits), Subject("tenant", self.tenant, self.tenant_limits)

    @property
    def queue(self) -> str:
        """Identifies the caller in fair queues: its key, address or vector store.

        Background work has a queue of its own, so that it does not delay the caller's other requests.
        """
        own = f"{self.tenant}/{self.key_id or self.source}"
        return f"{own} in background" if self.in_background else own

    @property
    def is_background(self) -> bool:
        """Whether no client waits for the work."""
        return self.in_background or not self.tenant

    def may(self, *any_of: Scope) -> bool:
        """Whether it has one of the scopes. `admin` includes all others."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(any_of)

    @property
    def read_groups(self) -> frozenset[str] | None:
        """The groups whose documents it may read, besides those of no group. None: all, for administrators."""
        return None if self.may("admin") else self.groups

    def require(self, *any_of: Scope) -> None:
        """Raises InsufficientPermissions if it has none of the scopes."""
        if not self.may(*any_of):
            names = " or ".join(any_of)
            raise InsufficientPermissions(f"the API key or token lacks the scope {names}, which this request needs")


WITHOUT_KEY = Caller("", DEFAULT_TENANT, frozenset(SCOPES))
"""The caller when no key is needed: everything in the default tenant is allowed."""

INTERNAL = Caller("", "", frozenset())
"""The caller for work that no request caused, such as jobs. No tenant has this name."""

current_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)
"""None outside of requests: jobs, the janitor, the start. Such work is not restricted."""
_work_of: ContextVar[str] = ContextVar("work_of", default="")


@contextlib.contextmanager
def working_for(store: str) -> Iterator[None]:
    """A context in which work without a request is queued for this vector store."""
    token = _work_of.set(store)
    try:
        yield
    finally:
        _work_of.reset(token)


@contextlib.contextmanager
def acting_as(caller: Caller) -> Iterator[None]:
    """A context in which work is done for this caller."""
    token = current_caller.set(caller)
    try:
        yield
    finally:
        current_caller.reset(token)


def queueing_caller() -> Caller:
    """The caller that the current work is queued for: that of the request, or the vector store of the job."""
    return current_caller.get() or replace(INTERNAL, source=_work_of.get())


def current_tenant() -> str:
    """The tenant of the current request; the default one outside of requests."""
    caller = current_caller.get()
    return DEFAULT_TENANT if caller is None else caller.tenant


def prefix_cache_salt() -> str | None:
    """vLLM's `cache_salt`. Only requests with equal salts share cached prompts, so `cached_tokens` never reveals what
    another tenant asked. None for the default tenant.
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
    groups = sorted(caller.groups)
    fields: list[object] = [caller.key_id, caller.tenant, sorted(caller.scopes), stores, caller.source, *limits, groups]
    if caller.in_background:  # left out otherwise, so that the previous release can read the header
        fields.append(True)
    return json.dumps(fields, separators=(",", ":"))


def caller_from_header(value: str) -> Caller:
    """Raises ValueError if the value was not made by `caller_to_header`."""
    try:
        key_id, tenant, scopes, stores, source, key_limits, tenant_limits, groups, *rest = json.loads(value)
        return Caller(
            str(key_id),
            str(tenant),
            frozenset(scopes),
            None if stores is None else frozenset(stores),
            Limits.from_json(key_limits),
            Limits.from_json(tenant_limits),
            source=str(source),
            groups=frozenset(map(str, groups)),
            in_background=bool(rest and rest[0]),
        )
    except (TypeError, ValueError, AttributeError):
        raise ValueError("not a caller") from None
