"""Secrets, scopes and callers."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from rag.auth.caller import (
    WITHOUT_KEY,
    Caller,
    caller_from_header,
    caller_to_header,
    current_caller,
    queueing_caller,
    require,
    working_for,
)
from rag.auth.key import KeyRecord
from rag.auth.key_secret import PREFIX, hash_of, new_secret, visible_prefix
from rag.auth.limits import NO_LIMITS, Limits
from rag.errors import InsufficientPermissions

ASK = Caller("key_1", "acme", frozenset({"ask"}), frozenset({"vs_1", "vs_2"}))


def test_a_secret_has_32_random_bytes() -> None:
    secret = new_secret()
    assert secret.startswith(PREFIX)
    assert len(base64.urlsafe_b64decode(secret.removeprefix(PREFIX) + "=")) == 32
    assert len({new_secret() for _ in range(100)}) == 100


def test_a_hash_and_a_prefix_do_not_reveal_the_secret() -> None:
    secret = new_secret()
    assert len(hash_of(secret)) == 64
    assert secret not in hash_of(secret)
    assert len(visible_prefix(secret)) == 10
    assert hash_of("\ud800")  # any header value can be hashed


def test_a_caller_survives_the_header() -> None:
    assert caller_from_header(caller_to_header(ASK)) == ASK
    assert caller_from_header(caller_to_header(WITHOUT_KEY)) == WITHOUT_KEY
    limited = replace(ASK, key_limits=Limits(tokens_per_day=5), tenant_limits=Limits(max_stored_bytes=2**50))
    assert caller_from_header(caller_to_header(limited)) == limited
    local = replace(WITHOUT_KEY, source="127.0.0.1")
    assert caller_from_header(caller_to_header(local)) == local
    assert caller_to_header(ASK).isascii()
    member = Caller("key_1", "acme", frozenset({"ask"}), groups=frozenset({"hr", "Führung"}))
    assert caller_from_header(caller_to_header(member)) == member
    assert caller_to_header(member).isascii()
    line = replace(member, in_background=True)
    assert caller_from_header(caller_to_header(line)) == line


def test_each_key_address_and_store_has_its_own_turns_in_queues() -> None:
    callers = [
        ASK,
        replace(ASK, key_id="key_2"),
        replace(WITHOUT_KEY, source="192.0.2.1"),
        replace(WITHOUT_KEY, source="192.0.2.2"),
    ]
    for store in ("vs_1", "vs_2"):
        with working_for(store):
            callers.append(queueing_caller())
    callers += [queueing_caller(), replace(callers[0], in_background=True)]
    assert len({caller.queue for caller in callers}) == 8
    assert [caller.is_background for caller in callers] == [False] * 4 + [True] * 4


def test_a_request_waits_for_its_own_caller() -> None:
    token = current_caller.set(ASK)
    try:
        with working_for("vs_1"):
            assert queueing_caller() is ASK
    finally:
        current_caller.reset(token)


@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "null", "{}", "[]", "[1, 2, 3]", '["a", "b", 3, null]', '["a", "b", [], null, "", 1, 2, []]'),
        *('["a", "b", [], null, "", {}, {}]', '["a", "b", [], null, "", {}, {}, 3]'),
    ],
)
def test_any_other_header_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not a caller"):
        caller_from_header(value)


def test_admin_includes_all_scopes() -> None:
    assert Caller("k", "t", frozenset({"admin"})).may("delete")
    assert not ASK.may("generate", "ingest")
    assert ASK.may("generate", "ask")


def test_administrators_read_the_documents_of_all_groups() -> None:
    assert Caller("k", "t", frozenset({"admin"}), groups=frozenset({"hr"})).read_groups is None
    assert Caller("k", "t", frozenset({"ask"}), groups=frozenset({"hr"})).read_groups == frozenset({"hr"})


def test_a_missing_scope_is_named() -> None:
    require("admin")  # outside of requests nothing is restricted
    token = current_caller.set(ASK)
    try:
        require("ask")
        with pytest.raises(InsufficientPermissions, match="lacks the scope generate"):
            require("generate")
    finally:
        current_caller.reset(token)


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "status"),
    [(None, None, "active"), (101.0, None, "active"), (100.0, None, "expired"), (101.0, 50.0, "revoked")],
)
def test_the_status_of_a_key(expires_at: float | None, revoked_at: float | None, status: str) -> None:
    key = KeyRecord("k", "n", "t", ("ask",), None, NO_LIMITS, "rag-abc", 1.0, expires_at, revoked_at, None)
    assert key.status(100.0) == status
