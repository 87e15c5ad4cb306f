"""Starts, calls and stops a real `bentoml serve`, as its users do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from rag.http.streaming.sse import EventParser
from tests.support.free_port import free_port

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 240.0
"""Timeout of every wait. It is generous, so that a busy machine does not fail a test."""
IDLE_S = 40.0
"""Timeout for the engine to become idle. It is far shorter than generating `ENDLESS_TOKENS`."""
ENDLESS_TOKENS = 8000
"""Nearly the whole context of the embedded model. Generating this many takes minutes on one core."""


def wait_until(
    condition: Callable[[], object], limit_s: float = LIMIT_S, what: str = "the condition did not become true"
) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@dataclass
class Answered:
    """One stream, read to its end."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    @property
    def text(self) -> str:
        return "".join(data["text"] for name, data in self.events if name == "token")

    def data(self, name: str) -> dict[str, Any]:
        return next(data for event, data in self.events if event == name)


@dataclass
class RunningService:
    process: subprocess.Popen[bytes]
    url: str
    log: Path
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every request, such as an API key."""

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 2 * LIMIT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self.is_ready():
                return
            time.sleep(0.2)
        raise AssertionError(f"the service did not become ready:\n{self.log.read_text()[-8000:]}")

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=self.headers, timeout=LIMIT_S)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=LIMIT_S, **{"headers": self.headers, **options})

    def running(self) -> int:
        """Number of requests in the engine."""
        return int(self.get("/readyz").json()["services"]["LLM"]["running"])

    def wait_until_working(self) -> None:
        """Wait until at least one request is in the engine. The count may be a third of a second old."""
        wait_until(self.running, what="no request reached the engine")

    def wait_until_idle(self) -> None:
        """Wait until no request is in the engine. The count may be a third of a second old."""
        wait_until(lambda: not self.running(), IDLE_S, "the engine is still generating")

    def inner_url(self, name: str) -> str:
        """URL of an inner service."""
        for process in self.processes():
            if (known := process.environ().get("BENTOML_RUNNER_MAP")) and name in json.loads(known):
                return str(json.loads(known)[name])
        raise AssertionError(f"no process has the address of {name}")

    def ingest(self, files: Mapping[str, bytes], **fields: str) -> dict[str, Any]:
        parts = [("files", (name, content)) for name, content in files.items()]
        data = {"wait_s": "100", **fields}
        response = httpx.post(self.url + "/ingest", files=parts, data=data, headers=self.headers, timeout=LIMIT_S)
        assert response.status_code in (200, 202), response.text
        answer: dict[str, Any] = response.json()
        return answer

    def stream(self, path: str, body: Any) -> Answered:
        with self.open(path, body) as events:
            return Answered(list(events))

    @contextlib.contextmanager
    def open(self, path: str, body: Any) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
        """The events as they arrive. Leaving the block disconnects from the service."""
        with httpx.stream("POST", self.url + path, json=body, headers=self.headers, timeout=LIMIT_S) as response:
            if response.status_code != 200:
                raise AssertionError(response.read().decode())
            yield _events(response)

    def processes(self) -> list[psutil.Process]:
        """The service and all its descendants."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def engine_core(self) -> psutil.Process:
        """The process of vLLM's engine core."""
        return next(p for p in self.processes() if "EngineCor" in p.name())

    def end(self) -> None:
        """Stop the service, and kill any process that is left."""
        if self.process.poll() is not None:
            return
        family = self.processes()
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()


def _events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    parser = EventParser()
    for piece in response.iter_bytes():
        for name, data in parser.feed(piece):
            yield name, json.loads(data)


def start_service(
    data_dir: Path, log: Path, *, target: str = "service:RAG", cwd: Path = ROOT, **environment: str
) -> RunningService:
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", target, "--host", "127.0.0.1", "--port", str(port)]
    env = {**os.environ, "RAG_DATA_DIR": str(data_dir), "BENTOML_DO_NOT_TRACK": "true", **environment}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT)
    return RunningService(process, f"http://127.0.0.1:{port}", log)
