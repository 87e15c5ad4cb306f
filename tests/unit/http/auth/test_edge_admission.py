"""Which requests the edge admits, and how it refuses the others."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from rag.adapters.memory_buckets import MemoryBuckets
from rag.adapters.memory_counters import MemoryCounters
from rag.auth.caller import DEFAULT_TENANT, WITHOUT_KEY, Caller
from rag.auth.key_secret import hash_of, new_secret
from rag.auth.limits import NO_LIMITS, Limits
from rag.auth.scopes import SCOPES, Scope
from rag.errors import DependencyUnavailable, InsufficientPermissions, RateLimitExceeded, Starting, Unauthenticated
from rag.http.auth.admission import CALLER
from rag.http.auth.edge_admission import EdgeAdmission
from rag.http.auth.rate_limit import RateLimits
from rag.http.auth.route_table import RouteTable
from rag.http.auth.token_limits import TokenLimits
from rag.http.auth.verified_keys import FRESH_S, Verification, VerifiedKey, VerifiedKeys
from rag.http.in_process import IS_PART, SENT_FOR
from rag.http.published_document import public_operations
from tests.support.acting import acting

ADMIN = "an-admin-key-of-at-least-32-characters"
ROUTES = RouteTable(public_operations)


class Catalog:
    """The keys of a Retriever, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: dict[str, VerifiedKey] = {}
        self.looks = 0
        self.failure: Exception | None = None
        self.now = 0.0
        self.verified = VerifiedKeys(self.look, clock=lambda: self.now)

    def add(
        self, *scopes: Scope, expires_at: float | None = None, revoked: bool = False, limits: Limits = NO_LIMITS
    ) -> str:
        secret = new_secret()
        caller = Caller(f"key_{len(self.keys)}", "acme", frozenset(scopes), key_limits=limits)
        self.keys[hash_of(secret)] = VerifiedKey(caller, expires_at, revoked)
        return secret

    async def look(self, digest: str | None) -> Verification:
        self.looks += 1
        if self.failure is not None:
            raise self.failure
        return Verification(bool(self.keys), self.keys.get(digest or ""))


def edge(catalog: Catalog | None = None, *, is_local: bool = True, **options: Any) -> EdgeAdmission:
    admission = EdgeAdmission(ROUTES, RateLimits(MemoryBuckets()), is_local=is_local, **options)
    if catalog is not None:
        admission.use(catalog.verified)
    return admission


def request(secret: str | None = None, path: str = "/ask", method: str = "POST", scheme: str = "Bearer") -> Any:
    headers = [] if secret is None else [(b"authorization", f"{scheme} {secret}".encode())]
    return {"type": "http", "method": method, "path": path, "headers": headers}


async def refusal(admission: EdgeAdmission, *args: Any, **options: Any) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await admission.admit(request(*args, **options), {})
    return caught.value.message


async def test_without_keys_local_programs_need_none() -> None:
    assert await edge(Catalog()).admit(request(), {}) == WITHOUT_KEY
    assert await edge(Catalog()).admit(request("none"), {}) == WITHOUT_KEY  # OpenAI's clients must send something


@pytest.mark.parametrize(
    ("client", "source"),
    [
        (("192.0.2.7", 4711), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 4711), "2001:db8:1:2::/64"),
        (("::1", 4711), "::/64"),
        (("::ffff:192.0.2.7", 4711), "192.0.2.7"),
        (("", 0), ""),
        (None, ""),
    ],
)
async def test_callers_without_a_key_are_told_apart_by_their_address(client: Any, source: str) -> None:
    catalog = Catalog()
    for admission in (edge(catalog), edge(is_open=True)):
        assert (await admission.admit({**request(), "client": client}, {})).source == source
    secret = catalog.add("ask")
    assert (await edge(catalog).admit({**request(secret), "client": client}, {})).source == ""


async def test_without_keys_other_machines_are_refused_with_the_ways_out() -> None:
    message = await refusal(edge(Catalog(), is_local=False))
    assert "python -m rag keys create" in message
    assert "RAG_SERVER__ADMIN_KEY" in message


async def test_behind_a_gateway_no_key_is_needed() -> None:
    catalog = Catalog()
    catalog.add("ask")
    assert await edge(catalog, is_local=False, is_open=True).admit(request(), {}) == WITHOUT_KEY
    assert catalog.looks == 0


async def test_once_there_is_a_key_every_request_needs_one() -> None:
    catalog = Catalog()
    secret = catalog.add("ask")
    assert "needs an API key" in await refusal(edge(catalog))
    assert "is not known" in await refusal(edge(catalog), new_secret())
    assert "is not known" in await refusal(edge(catalog), "none")
    assert "needs an API key" in await refusal(edge(catalog), secret, scheme="Basic")
    assert (await edge(catalog).admit(request(secret), {})).tenant == "acme"
    assert (await edge(catalog).admit(request(secret, scheme="bearer"), {})).tenant == "acme"


async def test_the_tenant_of_a_refused_request_is_known() -> None:
    catalog = Catalog()
    sent = request(catalog.add("ask"), "/generate")
    with pytest.raises(InsufficientPermissions):
        await edge(catalog).admit(sent, {})
    limited = request(catalog.add("ask", limits=Limits(requests_per_minute=1)))
    admission = edge(catalog)
    await admission.admit(limited, {})
    del limited[CALLER]
    with pytest.raises(RateLimitExceeded):
        await admission.admit(limited, {})
    assert (sent[CALLER].tenant, limited[CALLER].tenant) == ("acme", "acme")


async def test_what_cannot_be_a_secret_is_not_looked_up() -> None:
    catalog = Catalog()
    catalog.add("ask")
    admission = edge(catalog)
    for number in range(50):
        await refusal(admission, f"sk-{number}")
    assert catalog.looks == 1


async def test_expired_and_revoked_keys_are_refused() -> None:
    catalog = Catalog()
    assert await refusal(edge(catalog), catalog.add("ask", expires_at=time.time() - 1)) == "the API key has expired"
    assert await refusal(edge(catalog), catalog.add("ask", revoked=True)) == "the API key was revoked"


async def test_a_key_that_expires_while_it_is_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog()
    secret = catalog.add("ask", expires_at=time.time() + 100)
    admission = edge(catalog)
    await admission.admit(request(secret), {})
    later = time.time() + 101
    monkeypatch.setattr(time, "time", lambda: later)
    assert await refusal(admission, secret) == "the API key has expired"
    assert catalog.looks == 1


async def test_a_missing_scope_is_refused() -> None:
    catalog = Catalog()
    secret = catalog.add("ask")
    with pytest.raises(InsufficientPermissions):
        await edge(catalog).admit(request(secret, "/generate"), {})
    with pytest.raises(InsufficientPermissions):
        await edge(catalog).admit(request(secret, "/v1/keys", "GET"), {})
    with pytest.raises(InsufficientPermissions):
        await edge(catalog).admit(request(secret, "/metrics", "GET"), {})


async def test_the_admin_key_of_the_settings_needs_no_catalog() -> None:
    admission = edge(None, admin_key=ADMIN)
    caller = await admission.admit(request(ADMIN, "/v1/keys"), {})
    assert (caller.tenant, caller.scopes) == (DEFAULT_TENANT, frozenset(SCOPES))
    with pytest.raises(Starting):
        await admission.admit(request("rag-another"), {})


async def test_with_an_admin_key_local_programs_need_a_key_too() -> None:
    assert "no API key exists yet" in await refusal(edge(Catalog(), admin_key=ADMIN))
    assert "API keys are needed" in edge(admin_key=ADMIN).summary(keys_exist=False)


async def test_a_request_is_refused_while_the_keys_cannot_be_read() -> None:
    catalog = Catalog()
    catalog.failure = Starting("the catalog is loading")
    with pytest.raises(Starting):
        await edge(catalog).admit(request(), {})


async def test_a_revoked_key_stops_working_after_seconds() -> None:
    catalog = Catalog()
    secret = catalog.add("ask")
    admission = edge(catalog)
    for _ in range(10):
        await admission.admit(request(secret), {})
    assert catalog.looks == 1
    catalog.keys[hash_of(secret)] = VerifiedKey(Caller("k", "acme", frozenset({"ask"})), None, True)
    catalog.now = FRESH_S
    assert await refusal(admission, secret) == "the API key was revoked"


async def test_known_keys_work_for_a_minute_while_the_retriever_restarts() -> None:
    catalog = Catalog()
    secret = catalog.add("ask")
    admission = edge(catalog)
    await admission.admit(request(secret), {})
    catalog.failure = DependencyUnavailable("Retriever does not answer")
    catalog.now = 59
    await admission.admit(request(secret), {})
    with pytest.raises(DependencyUnavailable):
        await admission.admit(request(new_secret()), {})
    catalog.now = 61
    with pytest.raises(DependencyUnavailable):
        await admission.admit(request(secret), {})


async def test_without_keys_the_service_stays_open_while_the_retriever_restarts() -> None:
    catalog = Catalog()
    admission = edge(catalog)
    await admission.admit(request(), {})
    catalog.failure, catalog.now = DependencyUnavailable("Retriever does not answer"), 10_000
    assert await admission.admit(request(), {}) == WITHOUT_KEY


async def test_a_limit_of_requests_is_enforced() -> None:
    catalog = Catalog()
    secret = catalog.add("ask", limits=Limits(requests_per_minute=2))
    admission = edge(catalog)
    for _ in range(2):
        await admission.admit(request(secret), {})
    with pytest.raises(RateLimitExceeded) as caught:
        await admission.admit(request(secret), {})
    assert 1 <= caught.value.retry_after_s <= 30


def a_caller(key: Limits = NO_LIMITS, tenant: Limits = NO_LIMITS, key_id: str = "key_1") -> Caller:
    return Caller(key_id, "acme", frozenset({"ask"}), None, key, tenant)


def ratelimit_headers(headers: Mapping[str, str], counted: str) -> list[str]:
    return [headers[f"x-ratelimit-{name}-{counted}"] for name in ("limit", "remaining", "reset")]


async def test_requests_become_free_with_time() -> None:
    now, per_minute = 0.0, Limits(requests_per_minute=60)
    limits, caller = RateLimits(MemoryBuckets(clock=lambda: now)), a_caller(per_minute)
    for _ in range(60):
        await limits.count(caller, {})
    with pytest.raises(RateLimitExceeded):
        await limits.count(caller, {})
    await limits.count(a_caller(per_minute, key_id="key_2"), {})
    now = 2.0
    await limits.count(caller, {})
    await limits.count(caller, {})
    with pytest.raises(RateLimitExceeded):
        await limits.count(caller, {})


async def test_responses_say_what_is_left_of_the_limit() -> None:
    limits, headers = RateLimits(MemoryBuckets(clock=lambda: 0.0)), dict[str, str]()
    caller = a_caller(Limits(requests_per_minute=2))
    await limits.count(caller, headers)
    assert ratelimit_headers(headers, "requests") == ["2", "1", "30.0s"]
    await limits.count(caller, headers)
    with pytest.raises(RateLimitExceeded):
        await limits.count(caller, headers)
    assert ratelimit_headers(headers, "requests") == ["2", "0", "60.0s"]


async def test_the_keys_of_a_tenant_share_its_limit() -> None:
    limits, headers = RateLimits(MemoryBuckets(clock=lambda: 0.0)), dict[str, str]()
    own, shared = Limits(requests_per_minute=9), Limits(requests_per_minute=2)
    await limits.count(a_caller(own, shared, "key_1"), headers)
    assert ratelimit_headers(headers, "requests")[:2] == ["2", "1"]
    await limits.count(a_caller(own, shared, "key_2"), {})
    with pytest.raises(RateLimitExceeded, match="the tenant 'acme' is limited to 2 requests a minute"):
        await limits.count(a_caller(own, shared, "key_3"), {})


# --- tokens ------------------------------------------------------------------------------------


async def test_tokens_are_refused_once_they_are_used_up() -> None:
    catalog, tokens = Catalog(), TokenLimits(MemoryCounters())
    secret = catalog.add("ask", limits=Limits(tokens_per_minute=100, tokens_per_day=1000))
    admission, headers = edge(catalog, tokens=tokens), dict[str, str]()
    caller = await admission.admit(request(secret), headers)
    assert ratelimit_headers(headers, "tokens") == ["100", "100", "0.0s"]
    await used(tokens, caller, 99)
    await admission.admit(request(secret), headers)
    assert ratelimit_headers(headers, "tokens")[:2] == ["100", "1"]
    await used(tokens, caller, 300)  # how many an answer needs is known at its end
    with pytest.raises(RateLimitExceeded, match="limited to 100 tokens a minute") as caught:
        await admission.admit(request(secret), headers)
    assert 1 <= caught.value.retry_after_s <= 60
    assert ratelimit_headers(headers, "tokens")[:2] == ["100", "0"]
    await admission.admit(request(secret, "/retrieve"), {})  # it needs no tokens


async def test_the_keys_of_a_tenant_share_its_tokens() -> None:
    catalog, tokens = Catalog(), TokenLimits(MemoryCounters())
    first, second = catalog.add("ask"), catalog.add("ask")
    limits = {"acme": Limits(tokens_per_day=10)}
    admission = edge(catalog, tokens=tokens, tenant_limits=lambda tenant: limits[tenant])
    await used(tokens, await admission.admit(request(first), {}), 10)
    with pytest.raises(RateLimitExceeded, match="the tenant 'acme' is limited to 10 tokens a day") as caught:
        await admission.admit(request(second), {})
    assert 86_000 < caught.value.retry_after_s <= 86_400


async def test_limits_of_the_default_tenant_apply_without_keys() -> None:
    for admission in (
        edge(Catalog(), tenant_limits=lambda tenant: Limits(requests_per_minute=1)),
        edge(is_open=True, tenant_limits=lambda tenant: Limits(requests_per_minute=1)),
    ):
        await admission.admit(request(), {})
        with pytest.raises(RateLimitExceeded, match="the tenant 'default'"):
            await admission.admit(request(), {})


async def used(tokens: TokenLimits, caller: Caller, count: int) -> None:
    with acting(caller):
        await tokens.add(count)


# --- routes ------------------------------------------------------------------------------------

OPEN_OPERATIONS = {"livez", "healthz", "readyz"}


def test_every_published_route_but_the_probes_needs_a_scope() -> None:
    without = {route.operation.id for route in public_operations() if not route.operation.scopes}
    assert without == OPEN_OPERATIONS
    for route in public_operations():
        assert set(route.operation.scopes) <= set(SCOPES)


def test_every_published_route_is_found_in_the_table() -> None:
    for route in public_operations():
        path = (route.mounted_at + route.path_format).replace("{", "").replace("}", "")
        for method in route.methods:
            assert ROUTES.find(method, path).scopes == route.operation.scopes, (method, path)


@pytest.mark.parametrize(
    "path", ["/", "/docs.json", "/schema.json", "/static_content/swagger-ui.css", "/ui", "/ui/app.css"]
)
def test_the_documentation_is_open(path: str) -> None:
    assert ROUTES.find("GET", path).scopes == ()


@pytest.mark.parametrize(
    "path", ["/v1/other", "/v1/files/a/b/c", "/ask/", "/static_contents", "/uis", "/v1/responses/resp_1/other"]
)
def test_any_other_path_needs_a_key(path: str) -> None:
    assert set(ROUTES.find("GET", path).scopes) == set(SCOPES)
    assert set(ROUTES.find("PUT", "/v1/files").scopes) == set(SCOPES)


def test_deleting_and_managing_need_scopes_of_their_own() -> None:
    deleting = {route.operation.id for route in public_operations() if route.operation.scopes == ("delete",)}
    assert deleting == {"delete_file", "delete_vector_store", "remove_document"}
    managing = {route.operation.id for route in public_operations() if route.operation.scopes == ("admin",)}
    assert managing == {
        *("create_key", "list_keys", "get_key", "update_key", "revoke_key", "rotate_key"),
        *("load_lora_adapter", "unload_lora_adapter", "list_audit_entries"),
        *("reindex_vector_store", "roll_back_vector_store", "forget_previous_index"),
    }


def test_a_preflight_request_of_a_browser_has_no_key() -> None:
    assert ROUTES.find("OPTIONS", "/ask").scopes == ()


async def test_a_request_that_the_edge_sends_for_somebody_needs_no_key() -> None:
    """Only the edge can put a caller into the scope. Scopes and limits of tokens hold, those of requests do not."""
    tokens = TokenLimits(MemoryCounters())
    caller = Caller("key_1", "acme", frozenset({"ask"}), key_limits=Limits(1, tokens_per_day=1), in_background=True)
    admission = edge(Catalog(), tokens=tokens, admin_key=ADMIN)
    scope = {"method": "POST", "path": "/v1/chat/completions", "headers": [], SENT_FOR: caller, IS_PART: True}
    for _ in range(2):
        assert await admission.admit(scope, {}) == caller
    assert scope[CALLER] == caller
    with acting(caller):
        await tokens.add(2)
    with pytest.raises(RateLimitExceeded):
        await admission.admit(scope, {})
    with pytest.raises(InsufficientPermissions):
        await admission.admit({**scope, "path": "/v1/vector_stores"}, {})
    del scope[SENT_FOR]
    with pytest.raises(Unauthenticated):
        await admission.admit(scope, {})
