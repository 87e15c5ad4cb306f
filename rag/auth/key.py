"""API keys, as the catalog returns them. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rag.auth.caller import DEFAULT_TENANT, Caller
from rag.auth.limits import NO_LIMITS, Limits
from rag.auth.scopes import Scope

KeyStatus: TypeAlias = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class NewKey:
    """The fields of a new key."""

    name: str
    scopes: Sequence[Scope]
    tenant: str = DEFAULT_TENANT
    stores: Sequence[str] | None = None
    """Names or ids of the only vector stores it may use; None: all of its tenant."""
    expires_at: float | None = None
    limits: Limits = NO_LIMITS
    groups: Sequence[str] = ()
    """Groups whose documents it may read."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key, without its secret."""

    key_id: str
    name: str
    tenant: str
    scopes: tuple[Scope, ...]
    stores: tuple[str, ...] | None
    """Ids of the only vector stores it may use; None: all of its tenant."""
    limits: Limits
    prefix: str
    """The beginning of its secret."""
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    """Accurate to some minutes."""
    groups: tuple[str, ...] = ()
    """Groups whose documents it may read."""

    def status(self, now: float) -> KeyStatus:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    @property
    def caller(self) -> Caller:
        stores = None if self.stores is None else frozenset(self.stores)
        scopes, groups = frozenset(self.scopes), frozenset(self.groups)
        return Caller(self.key_id, self.tenant, scopes, stores, self.limits, groups=groups)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key that was just created or rotated."""

    record: KeyRecord
    secret: str
    """Shown only now; it cannot be retrieved later."""
