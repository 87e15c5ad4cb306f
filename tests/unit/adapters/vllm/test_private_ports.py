"""Which engines listen on loopback only, and that nobody can connect to a closed port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from rag.adapters.vllm.args import CPU_WORKER, PARENT_WATCHDOG
from rag.adapters.vllm.private_ports import close_ports, listen_on_loopback

INTERFACE = "GLOO_SOCKET_IFNAME"
LISTEN_AND_CLOSE = """
import json, socket
from rag.adapters.vllm.private_ports import refuse_connections

listening = [socket.create_server((host, 0)) for host in ("127.0.0.1", "127.0.0.1", "0.0.0.0")]
connected = socket.create_connection(listening[0].getsockname())

def connects(server):
    with socket.socket() as client:
        client.settimeout(0.3)
        try:
            client.connect(("127.0.0.1", server.getsockname()[1]))
        except TimeoutError:
            return False
        return True

before = [connects(server) for server in listening]
refuse_connections()
accepted, _ = listening[0].accept()
connected.sendall(b"still open")
print(json.dumps([before, [connects(server) for server in listening], accepted.recv(20).decode()]))
"""


def a_config(*, workers: int = 1, replicas: int = 1, extension: str = CPU_WORKER, **transfers: object) -> Any:
    parallel = SimpleNamespace(world_size=workers, data_parallel_size=replicas, worker_extension_cls=extension)
    none = {"kv_transfer_config": None, "ec_transfer_config": None, "kv_events_config": None}
    return SimpleNamespace(parallel_config=parallel, **{**none, **transfers})


class Engine:
    """Args: `failure` is raised by every call."""

    def __init__(self, config: Any, failure: Exception | None = None) -> None:
        self.vllm_config = config
        self.calls: list[str] = []
        self._failure = failure

    async def collective_rpc(self, method: str) -> None:
        self.calls.append(method)
        if self._failure is not None:
            raise self._failure


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has the option")
def test_nobody_can_connect_to_a_closed_port() -> None:
    done = subprocess.run([sys.executable, "-c", LISTEN_AND_CLOSE], capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [[True, True, True], [False, False, True], "still open"]


def test_an_engine_of_one_worker_listens_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", environment := dict[str, str]())
    for several in (a_config(workers=2), a_config(replicas=2)):
        listen_on_loopback(several)
        assert environment == {}
    listen_on_loopback(a_config())
    addresses = psutil.net_if_addrs()[environment[INTERFACE]]
    assert "127.0.0.1" in [each.address for each in addresses if each.family == socket.AF_INET]


def test_the_interface_of_the_environment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", environment := {INTERFACE: "eth7"})
    listen_on_loopback(a_config())
    assert environment == {INTERFACE: "eth7"}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has the option")
@pytest.mark.parametrize(
    ("config", "closes"),
    [
        (a_config(), True),
        (a_config(extension=PARENT_WATCHDOG), True),
        (a_config(extension="own.Extension"), False),
        (a_config(workers=2), False),
        (a_config(replicas=2), False),
        (a_config(kv_transfer_config=object()), False),
        (a_config(kv_events_config=object()), False),
    ],
)
async def test_ports_are_closed_unless_somebody_has_to_connect(config: Any, closes: bool) -> None:
    engine: Any = Engine(config)
    await close_ports(engine)
    assert engine.calls == ["refuse_connections"] * closes


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has the option")
async def test_an_engine_starts_even_if_its_ports_cannot_be_closed(caplog: pytest.LogCaptureFixture) -> None:
    engine: Any = Engine(a_config(), OSError("Protocol not available"))
    await close_ports(engine)
    assert ["stay open: Protocol not available" in message for message in caplog.messages] == [True]
