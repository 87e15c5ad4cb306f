"""What the claims of signed tokens allow, and how the edge admits them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rag.adapters.memory_buckets import MemoryBuckets
from rag.auth.caller import Caller
from rag.auth.limits import Limits
from rag.errors import InsufficientPermissions, RateLimitExceeded, Starting, Unauthenticated
from rag.http.auth.edge_admission import EdgeAdmission
from rag.http.auth.rate_limit import RateLimits
from rag.http.auth.route_table import RouteTable
from rag.http.auth.signed_tokens.token_callers import TokenCallers
from rag.http.auth.signed_tokens.token_claims import ClaimNames
from rag.http.auth.verified_keys import Verification, VerifiedKeys
from rag.http.published_document import public_operations
from tests.support.servers.identity_provider import ISSUER, Provider, token

ROUTES = RouteTable(public_operations)
CLAIMS = {"iss": ISSUER, "sub": "ada"}


def test_without_names_a_token_may_ask_in_the_default_tenant() -> None:
    owner = ClaimNames(groups="groups", default_scopes=frozenset({"ask"})).owner(CLAIMS)
    assert (owner.tenant, set(owner.scopes), set(owner.groups), owner.stores) == ("default", {"ask"}, set(), None)
    assert owner.key_id.startswith("jwt_")
    assert len(owner.key_id) <= 64
    assert "ada" not in owner.key_id


def test_claims_are_mapped() -> None:
    names = ClaimNames(
        groups="realm_access.roles",
        tenant="https://example.org/tenant",
        scopes="scope",
        scope_prefix="rag:",
        stores="stores",
    )
    claims = {
        **CLAIMS,
        "realm_access": {"roles": ["hr", "legal"]},
        "https://example.org/tenant": "acme",
        "scope": "openid rag:ask rag:ingest delete",
        "stores": "manuals",
    }
    owner = names.owner(claims)
    assert (owner.tenant, set(owner.groups), owner.stores) == ("acme", {"hr", "legal"}, ("manuals",))
    assert owner.scopes == {"ask", "ingest"}
    assert names.owner({**claims, "scope": ["rag:ask", "x"]}).scopes == {"ask"}


def test_a_missing_claim_allows_nothing() -> None:
    names = ClaimNames(groups="g", scopes="s", stores="v", default_scopes=frozenset({"ask"}))
    owner = names.owner(CLAIMS)
    assert (owner.scopes, owner.groups, owner.stores) == (frozenset(), frozenset(), ())


@pytest.mark.parametrize("tenant", [None, 7, "", "ACME", "a/b", "acme\n", ["acme"]])
def test_a_token_that_names_no_tenant_is_refused(tenant: object) -> None:
    with pytest.raises(Unauthenticated, match="claim org does not name a tenant"):
        ClaimNames(groups="groups", tenant="org").owner({**CLAIMS, "org": tenant})


@pytest.mark.parametrize("groups", [7, [7], {"a": 1}, [""], ["a\nb"], ["x" * 129], [f"{n}" for n in range(257)]])
def test_groups_that_cannot_be_are_refused(groups: object) -> None:
    with pytest.raises(Unauthenticated, match="claim groups"):
        ClaimNames(groups="groups").owner({**CLAIMS, "groups": groups})


# --- at the edge -------------------------------------------------------------------------------


def request(text: str | None, path: str = "/ask", method: str = "POST") -> Any:
    headers = [] if text is None else [(b"authorization", f"Bearer {text}".encode())]
    return {"type": "http", "method": method, "path": path, "headers": headers}


async def no_keys(_: str | None) -> Verification:
    return Verification(required=False)


class Edge:
    def __init__(self, names: ClaimNames | None = None, **options: Any) -> None:
        names = names or ClaimNames(groups="groups", default_scopes=frozenset({"ask"}))
        self.opened: list[tuple[str, Sequence[str] | None]] = []
        self.tokens = TokenCallers(Provider().verifier(), names, **options)
        self.tokens.use(self.open_tenant)
        self.admission = EdgeAdmission(ROUTES, RateLimits(MemoryBuckets()), is_local=True, token_callers=self.tokens)
        self.admission.use(VerifiedKeys(no_keys))

    async def open_tenant(self, tenant: str, stores: Sequence[str] | None) -> Sequence[str] | None:
        self.opened.append((tenant, stores))
        return None if stores is None else [f"vs_{name}" for name in stores if name != "unknown"]

    async def admit(self, text: str | None, path: str = "/ask") -> Caller:
        return await self.admission.admit(request(text, path), {})


async def test_a_token_is_admitted_as_its_owner() -> None:
    edge = Edge(ClaimNames(groups="groups", tenant="org", stores="v", default_scopes=frozenset({"ask"})))
    for _ in range(2):
        caller = await edge.admit(token(groups=["hr"], org="acme", v=["a", "unknown"]))
        assert (caller.tenant, set(caller.scopes), set(caller.groups)) == ("acme", {"ask"}, {"hr"})
        assert caller.stores == frozenset({"vs_a"})
    assert edge.opened == [("acme", ("a", "unknown"))]
    assert (await edge.admit(token(org="acme"))).stores == frozenset()
    with pytest.raises(InsufficientPermissions, match="generate"):
        await edge.admit(token(org="acme"), "/generate")


async def test_with_tokens_local_programs_need_a_key_too() -> None:
    edge = Edge()
    for text in (None, "none", "rag-x"):
        with pytest.raises(Unauthenticated):
            await edge.admit(text)
    with pytest.raises(Unauthenticated, match="API key or a signed token"):
        await edge.admit(None)
    assert "signed tokens are needed" in edge.admission.summary(keys_exist=False)


async def test_an_invalid_token_says_why() -> None:
    with pytest.raises(Unauthenticated, match="the token has expired"):
        await Edge().admit(token(exp=1))


async def test_a_subject_can_be_limited() -> None:
    edge = Edge(limits=Limits(requests_per_minute=2))
    for _ in range(2):
        await edge.admit(token())
    with pytest.raises(RateLimitExceeded):
        await edge.admit(token())
    await edge.admit(token(sub="bob"))


async def test_before_the_retriever_is_known_the_service_is_starting() -> None:
    tokens = TokenCallers(Provider().verifier(), ClaimNames(groups="groups"))
    with pytest.raises(Starting):
        await tokens.caller(token())
