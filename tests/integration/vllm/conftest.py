"""One process with vLLM imported, for all tests of this folder.

The import takes ten seconds and changes global state of its process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.running import ROOT

STATISTICS_ALLOWED = {"BENTOML_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "0", "VLLM_NO_USAGE_STATS": "0"}
_MARK = "reply: "
_LOOP = f"""
import importlib, json, sys, traceback
import rag, vllm

for line in sys.stdin:
    module, name, arguments = json.loads(line)
    try:
        reply = {{"answer": getattr(importlib.import_module(module), name)(*arguments)}}
    except BaseException:
        reply = {{"failure": traceback.format_exc()}}
    print({_MARK!r} + json.dumps(reply), flush=True)
"""


class VllmProcess:
    def __init__(self, folder: Path) -> None:
        self._log = folder / "stderr.log"
        more = {"PYTHONPATH": str(ROOT), "VLLM_LOGGING_LEVEL": "ERROR", **STATISTICS_ALLOWED}
        environment = {**os.environ, **more}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _LOOP],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a top-level function in the process and return its result; result and arguments must be JSON."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([function.__module__, function.__name__, arguments]) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(_MARK):
                reply = json.loads(line.removeprefix(_MARK))
                assert "answer" in reply, reply["failure"]
                return reply["answer"]
        raise AssertionError(f"the process ended: {self._log.read_text()[-3000:]}")

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="session")
def vllm_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmProcess]:
    process = VllmProcess(tmp_path_factory.mktemp("vllm"))
    yield process
    process.close()
