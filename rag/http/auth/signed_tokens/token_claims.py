"""Maps the claims of a verified token to its owner and permissions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from rag.auth.caller import DEFAULT_TENANT
from rag.auth.scopes import SCOPES, Scope
from rag.auth.tenant import is_tenant
from rag.errors import Unauthenticated
from rag.http.fields.groups_wire import group_problem
from rag.types import JsonMapping


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """The owner of a token, and what it allows."""

    key_id: str
    tenant: str
    scopes: frozenset[Scope]
    groups: frozenset[str]
    stores: tuple[str, ...] | None
    """Names or ids of the only vector stores that it may use; None: all of its tenant."""


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """The names of the claims that hold a token's permissions. A dot leads into an object: `realm_access.roles`."""

    groups: str
    """A list of groups; tokens without it belong to none."""
    tenant: str = ""
    """Empty: all tokens belong to the tenant `default`."""
    scopes: str = ""
    """Text separated by spaces, or a list. Empty: all tokens have `default_scopes`."""
    scope_prefix: str = ""
    """The prefix that scopes of this service have in the claim."""
    default_scopes: frozenset[Scope] = frozenset()
    stores: str = ""
    """A list of vector stores; tokens without it may use none. Empty: all tokens may use all of their tenant."""

    def owner(self, claims: JsonMapping) -> TokenOwner:
        """Raises Unauthenticated if a claim has a value that is not allowed."""
        return TokenOwner(
            _key_id(claims),
            self._tenant(claims),
            self._scopes(claims),
            self._groups(claims),
            tuple(_texts(claims, self.stores)) if self.stores else None,
        )

    def _tenant(self, claims: JsonMapping) -> str:
        if not self.tenant:
            return DEFAULT_TENANT
        tenant = _claim(claims, self.tenant)
        if not isinstance(tenant, str) or not is_tenant(tenant):
            raise Unauthenticated(f"the token's claim {self.tenant} does not name a tenant")
        return tenant

    def _scopes(self, claims: JsonMapping) -> frozenset[Scope]:
        if not self.scopes:
            return frozenset(self.default_scopes)
        names = [word for text in _texts(claims, self.scopes) for word in text.split()]
        return frozenset(scope for scope in SCOPES if self.scope_prefix + scope in names)

    def _groups(self, claims: JsonMapping) -> frozenset[str]:
        groups = _texts(claims, self.groups)
        if (problem := group_problem(groups)) is not None:
            raise Unauthenticated(f"the token's claim {self.groups} {problem}")
        return frozenset(groups)


def _key_id(claims: JsonMapping) -> str:
    """A stable id for the token's subject, used where API keys have their key id."""
    subject = f"{claims['iss']}\0{claims['sub']}"
    return f"jwt_{hashlib.sha256(subject.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def _texts(claims: JsonMapping, name: str) -> list[str]:
    value = _claim(claims, name)
    values = value if isinstance(value, list) else [] if value is None else [value]
    texts = [each for each in values if isinstance(each, str)]
    if len(texts) != len(values):
        raise Unauthenticated(f"the token's claim {name} is not a text or a list of texts")
    return texts


def _claim(claims: JsonMapping, name: str) -> object:
    """The claim with this name, or the one that its dots lead to; None if there is none."""
    if name in claims:
        return claims[name]
    value: object = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
