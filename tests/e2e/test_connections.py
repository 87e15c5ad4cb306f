"""What the service listens on and connects to, with a real engine."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from urllib.parse import urlsplit

import psutil

from tests.e2e.running import RunningService
from tests.support.servers.connection_record import ConnectionRecord
from tests.support.servers.remote_addresses import remote_addresses


def test_it_connects_to_no_other_machine(filled: RunningService, connections: ConnectionRecord) -> None:
    """From its start, and while it answers, ingests and searches."""
    with remote_addresses(filled) as addresses:
        assert filled.ingest({"calls.md": b"Nobody is called."})["files"][0]["change"] == "added"
        assert filled.post("/retrieve", {"query": "Who is called?"}).status_code == 200
        assert filled.stream("/ask", {"question": "Who is called?", "max_tokens": 8}).names[-1] == "done"
        chat = {"messages": [{"role": "user", "content": "Who is called?"}], "max_tokens": 8}
        assert filled.post("/v1/chat/completions", {"model": "gpt-4o-mini", **chat}).status_code == 200
    assert "127.0.0.1" in addresses, "not even the connections of this test were seen"
    assert [address for address in addresses if not ipaddress.ip_address(address).is_loopback] == []
    assert connections.hosts <= {"127.0.0.1", "::1", "localhost"}


def test_nobody_can_connect_to_a_port_but_the_public_one(service: RunningService) -> None:
    """PyTorch opens ports in the engine's process (docs/bentoml_issues.md#v15)."""
    listening = {
        each.laddr
        for process in service.processes()
        for each in process.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    }
    assert [address for address in listening if not ipaddress.ip_address(address.ip).is_loopback] == []
    assert {address.port for address in listening if accepts(address)} == {urlsplit(service.url).port}


def accepts(address: tuple[str, int]) -> bool:
    """The kernel completes a connection to an open port at once, whatever the process does."""
    with socket.socket() as client:
        client.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            client.connect(tuple(address))
            return True
    return False
