"""Who may use a process, from the settings and from the address that it listens on."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rag import config
from rag.auth.caller import Caller
from rag.auth.limits import Limits
from rag.bootstrap import access, documents, start_check
from rag.bootstrap.loaded_settings import settings
from rag.config.limits import LimitSettings
from rag.errors import SetupError

KEY = "k" * 32
ISSUED = {"RAG_JWT__ISSUER": "https://login.example.org", "RAG_JWT__AUDIENCE": "rag-service"}


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("RAG_DATA_DIR", str(tmp_path))
    forget()
    yield
    forget()


def forget() -> None:
    own = (access.edge_admission, access.audit_trail, access.request_limits, access.token_limits, access.tenant_limits)
    of_tokens = (access.token_callers, access.token_keys)
    for cached in (settings, documents._database, access._limits_redis, *own, *of_tokens):
        cached.cache_clear()


def served_at(monkeypatch: pytest.MonkeyPatch, listening: socket.socket) -> None:
    monkeypatch.setattr(sys, "argv", ["worker", "--fd", str(listening.fileno()), "--backlog", "1"])


@pytest.mark.parametrize(("host", "exposed"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("::", True)])
def test_the_address_tells_whether_other_machines_can_connect(
    monkeypatch: pytest.MonkeyPatch, host: str, exposed: bool
) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        served_at(monkeypatch, listening)
        assert access.listens_to_other_machines() == exposed
        assert listening.getsockname()  # still open
        assert access.service_admission().is_exposed == exposed


def test_a_unix_socket_belongs_to_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        served_at(monkeypatch, listening)
        assert not access.listens_to_other_machines()


@pytest.mark.parametrize(
    "argv", [["worker"], ["worker", "--fd"], ["worker", "--fd", "x"], ["worker", "--fd", "999999"]]
)
def test_an_unknown_address_counts_as_exposed(monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    assert access.listens_to_other_machines()


@pytest.mark.parametrize("option", ["RAG_SERVER__SERVICE_KEY", "RAG_SERVER__OPEN"])
def test_a_service_key_or_a_gateway_protects_an_exposed_service(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setattr(sys, "argv", ["worker"])
    assert access.service_admission().is_exposed
    monkeypatch.setenv(option, "true" if option.endswith("OPEN") else KEY)
    forget()
    assert not access.service_admission().is_exposed


def start(host: str | None = None, *, command: str = "serve", service: str = "RAG") -> object:
    """The exit code of `bentoml serve service:SERVICE --host HOST`, or 0 if the start is not refused."""
    start_check._services.clear()
    context = click.Context(click.Command(command))
    context.params = {"host": host} if command == "serve" else {}
    with context:
        try:
            start_check.refuse_unprotected_start(service, is_edge=service == "RAG")
            start_check.refuse_unprotected_start("dependency")
        except SystemExit as refused:
            return refused.code
    return 0


def test_a_start_for_other_machines_needs_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert start("0.0.0.0") == 1
    assert "RAG_SERVER__OPEN=true" in capsys.readouterr().err
    assert start() == 1  # without --host, BentoML listens on all interfaces
    assert [start(host) for host in ("127.0.0.1", "::1")] == [0, 0]
    assert start(command="build") == 0


def test_an_inner_service_for_other_machines_needs_a_service_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_SERVER__ADMIN_KEY", KEY)  # clients have keys of their own; the services need another
    assert start("0.0.0.0", service="LLM") == 1
    told = capsys.readouterr().err
    assert all(way_out in told for way_out in ("--host 127.0.0.1", "RAG_SERVER__SERVICE_KEY", "RAG_SERVER__OPEN=true"))
    assert start("127.0.0.1", service="LLM") == 0
    monkeypatch.setenv("RAG_SERVER__SERVICE_KEY", KEY)
    forget()
    assert start("0.0.0.0", service="LLM") == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("RAG_SERVER__OPEN", "true"),
        ("RAG_SERVER__ADMIN_KEY", KEY),
        ("RAG_RETRIEVE__URL", "http://elsewhere:3000"),
        ("RAG_JWT__JWKS", "jwks.json"),
    ],
)
def test_the_ways_out(monkeypatch: pytest.MonkeyPatch, option: str, value: str) -> None:
    """Whether a Retriever elsewhere has keys is not known yet: without any, the edge refuses every request."""
    for name, text in {**ISSUED, option: value}.items():
        monkeypatch.setenv(name, text)
    forget()
    assert start("0.0.0.0") == 0


def test_tokens_are_accepted_if_the_settings_name_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (access.token_callers(), access.token_keys()) == (None, None)
    for name, text in {**ISSUED, "RAG_JWT__JWKS": "jwks.json"}.items():
        monkeypatch.setenv(name, text)
    forget()
    assert access.token_callers() is not None
    assert "signed tokens" in access.edge_admission().summary(keys_exist=False)


def test_a_key_in_the_catalog_is_a_way_out() -> None:
    from rag.auth.key import NewKey

    documents.key_registry().create(NewKey("first", ["admin"]))
    assert start("0.0.0.0") == 0
    documents.database().close()


def test_limits_of_tenants_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_LIMITS__MAX_DOCUMENTS", "10")
    monkeypatch.setenv("RAG_LIMITS__TOKENS_PER_DAY", "5")
    monkeypatch.setenv("RAG_LIMITS__TENANTS", '{"acme": {"max_documents": 20, "tokens_per_day": null}, "b": {}}')
    forget()
    responses = LimitSettings().max_unfinished_responses
    assert access.tenant_limits("acme") == Limits(max_documents=20, max_unfinished_responses=responses)
    of_all = Limits(max_documents=10, tokens_per_day=5, max_unfinished_responses=responses)
    assert access.tenant_limits("b") == access.tenant_limits("other") == of_all


async def test_with_a_redis_requests_are_counted_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller("key_1", "acme", frozenset(), key_limits=Limits(requests_per_minute=2))
    await access.request_limits().count(caller, {})
    assert not caplog.messages
    monkeypatch.setenv("RAG_CACHE__URL", f"unix://{tmp_path / 'nobody-listens'}")
    forget()
    headers: dict[str, str] = {}
    await access.request_limits().count(caller, headers)
    assert headers["x-ratelimit-remaining-requests"] == "1"
    assert [
        message for message in caplog.messages if message.startswith("the counts of limits in Redis cannot be read")
    ]
    await access.request_limits().close()


def test_the_audit_log_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert access.audit_trail() is not None
    monkeypatch.setenv("RAG_AUDIT__RECORD", "off")
    forget()
    assert access.audit_trail() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"RAG_SERVER__ADMIN_KEY": "short"}, "RAG_SERVER__ADMIN_KEY: must be at least 32"),
        ({"RAG_SERVER__SERVICE_KEY": "with spaces in it " * 4}, "RAG_SERVER__SERVICE_KEY: must be"),
        ({"RAG_SERVER__OPEN": "true", "RAG_SERVER__ADMIN_KEY": KEY}, "cannot be combined"),
        ({"RAG_LIMITS__TENANTS": '{"acme": {"documents": 1}}'}, "RAG_LIMITS__TENANTS__ACME__DOCUMENTS: Extra inputs"),
        ({"RAG_LIMITS__TENANTS": "acme"}, "RAG_LIMITS__TENANTS: must be a JSON object"),
        ({"RAG_JWT__JWKS": "some-file.json"}, "needs RAG_JWT__ISSUER and RAG_JWT__AUDIENCE"),
        ({"RAG_JWT__ALGORITHMS": "RS256,HS256"}, "RAG_JWT__ALGORITHMS must be one or more of RS256"),
        ({"RAG_JWT__SCOPES": "askk"}, "RAG_JWT__SCOPES must be one or more of ask"),
        ({**ISSUED, "RAG_JWT__JWKS": "some-file.json", "RAG_SERVER__OPEN": "true"}, "no token would be checked"),
    ],
)
def test_invalid_settings_are_refused(monkeypatch: pytest.MonkeyPatch, options: dict[str, str], message: str) -> None:
    for name, value in options.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=message) as caught:
        config.load()
    assert all(value not in caught.value.message for value in options.values() if value != "true")
