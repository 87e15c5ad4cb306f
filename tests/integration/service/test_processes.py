"""What each service's process has loaded."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.e2e.running import RunningService, wait_until
from tests.support.servers.connection_record import ConnectionRecord
from tests.support.servers.remote_addresses import remote_addresses

pytestmark = pytest.mark.integration


def test_of_the_services_without_an_engine_only_the_encoder_loads_torch(service: RunningService) -> None:
    """Torch takes seconds to load and 300 MB."""
    loaded = {name_of(process): has_torch(process) for process in service.processes() if name_of(process)}
    assert loaded == {"Embedder": True, "LLM": False, "Retriever": False, "RAG": False}


def test_no_process_listens_on_a_port_but_the_public_one(service: RunningService) -> None:
    """Any user of the machine can connect to a port on loopback (docs/bentoml_issues.md#b27)."""
    ports = {
        connection.laddr.port
        for process in service.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert ports == {urlsplit(service.url).port}


def test_only_this_user_can_connect_to_the_supervisor(service: RunningService) -> None:
    sockets = [
        Path(str(each.laddr)) for each in psutil.Process(service.process.pid).net_connections("unix") if each.laddr
    ]
    control = [path for path in sockets if path.parent.name.startswith("rag-supervisor-")]
    assert {path.name for path in control} == {"control", "events"}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in control} == {0o700}


def test_the_service_calls_no_other_machine(service: RunningService, connections: ConnectionRecord) -> None:
    """It has a collector of spans on this one."""
    with remote_addresses(service) as addresses:
        assert service.ingest({"calls.md": b"Nobody is called."})["files"][0]["error"] is None
        assert service.post("/retrieve", {"query": "Who is called?"}).status_code == 200
        assert service.stream("/ask", {"question": "Who is called?"}).names[-1] == "done"
        wait_until(lambda: "127.0.0.1" in connections.hosts)
    assert addresses == {"127.0.0.1"}
    assert connections.hosts <= {"127.0.0.1", "localhost"}


def name_of(process: psutil.Process) -> str:
    """The service that a process runs; empty for the supervisor and for helpers."""
    arguments = process.cmdline()
    return arguments[arguments.index("--service-name") + 1] if "--service-name" in arguments else ""


def has_torch(process: psutil.Process) -> bool:
    return any("libtorch" in region.path for region in process.memory_maps())
