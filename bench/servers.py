"""Starts server processes and makes sure that none survives, even after Ctrl-C."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rag import config
from rag.adapters import model_files
from rag.adapters.vllm import parent_watchdog
from rag.adapters.vllm.args import engine_arguments
from tests.support.free_port import free_port

ROOT = Path(__file__).resolve().parents[1]
READY_S = 300.0
STOP_S = 20.0
_POLL_S = 0.05
_SERVICE = re.compile(r"--service-name[= ](\w+)")


@dataclass(slots=True)
class Server:
    process: subprocess.Popen[bytes]
    url: str
    health: str
    log: Path
    ready_s: float = 0.0
    """From the start of the process until it was ready."""

    def family(self) -> list[psutil.Process]:
        """The process and all its descendants."""
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds that each process has used since its start, by name."""
        used: dict[str, float] = {}
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                times, name = process.cpu_times(), process_name(process)
                used[name] = used.get(name, 0.0) + times.user + times.system
        return used

    def wait(self, started: float) -> None:
        while time.perf_counter() - started < READY_S:
            if self.process.poll() is not None:
                break
            if _is_ok(self.url + self.health):
                self.ready_s = time.perf_counter() - started
                return
            time.sleep(_POLL_S)
        tail = self.log.read_text(errors="replace")[-4000:]
        raise RuntimeError(f"{self.url} did not become ready:\n{tail}")

    def stop(self) -> None:
        family = self.family()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S)
        for process in [*family, *self.family()]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait()


@contextlib.contextmanager
def serving(
    command: Sequence[str], url: str, health: str, log: Path, environment: Mapping[str, str], cwd: Path = ROOT
) -> Iterator[Server]:
    """A running, ready server. It has its own session, so that Ctrl-C reaches it only through this process."""
    started = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **environment}, stdout=output, stderr=output, start_new_session=True
        )
    server = Server(process, url, health, log)
    try:
        server.wait(started)
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def bundle(data_dir: Path, log: Path, target: str = "service:RAG", **environment: str) -> Iterator[Server]:
    """The bundle as `make serve` starts it, but without the retrieval cache, because benchmarks repeat questions."""
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", target, "--host", "127.0.0.1", "--port", str(port)]
    own = {"RAG_DATA_DIR": str(data_dir), "BENTOML_DO_NOT_TRACK": "true"}
    # Written answers have the prompts and lengths that the peers' have.
    own |= {"RAG_CACHE__RETRIEVALS": "false", "RAG_PROMPT__STYLE": "written", **environment}
    with serving(command, f"http://127.0.0.1:{port}", "/readyz", log, own) as server:
        yield server


@contextlib.contextmanager
def vllm_server(log: Path, **engine: Any) -> Iterator[Server]:
    """vLLM's own OpenAI server, with the model folder and engine arguments of our LLM service.

    Args:
        engine: Further engine arguments.
    """
    port, settings = free_port(), config.load()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--served-model-name", "m", *engine_options(settings, engine)]
    own = {
        "VLLM_CPU_KVCACHE_SPACE": str(settings.llm.cpu_kv_cache_gib),
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_SERVER_DEV_MODE": "1",
        parent_watchdog.OWNER_PID_VARIABLE: str(os.getpid()),
    }
    with serving(command, f"http://127.0.0.1:{port}", "/health", log, own) as server:
        yield server


def engine_options(settings: config.Settings, more: Mapping[str, Any]) -> list[str]:
    """The engine arguments as options of vLLM's command line."""
    names = [name.lower() for name in settings.llm.engine]
    known = dataclasses.make_dataclass("Known", names)  # the names were already checked by our service
    model = model_files.llm_folder(settings)
    arguments = engine_arguments(model, settings.llm, on_cpu=_vllm_is_on_cpu(), known=known) | dict(more)
    return [option for name, value in arguments.items() for option in _option(name.replace("_", "-"), value)]


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", json.dumps(value) if isinstance(value, dict | list) else str(value)]


@functools.cache
def _vllm_is_on_cpu() -> bool:
    """Checked in a subprocess, because importing vLLM is slow and leaves threads."""
    code = "from vllm.platforms import current_platform as p; print(p.is_cpu())"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return done.stdout.split()[-1] == b"True"


def run_json(module: str, request: Mapping[str, Any]) -> Any:
    """Run `python -m module` with a JSON request on stdin; the last line of its output is the JSON answer."""
    with subprocess.Popen(
        [sys.executable, "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            out, err = process.communicate(json.dumps(request).encode())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RuntimeError(f"{module} failed:\n{err.decode(errors='replace')[-2000:]}")
    return json.loads(out.splitlines()[-1])


def _is_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def process_name(process: psutil.Process) -> str:
    """Name of the BentoML service, or the role of the process."""
    line = " ".join(process.cmdline())
    if match := _SERVICE.search(line):
        return match[1]
    if "EngineCor" in process.name() or "EngineCore" in line:
        return "vLLM engine core"
    if "resource_tracker" in line:
        return "resource tracker"
    return "supervisor" if "bentoml" in line else process.name()
