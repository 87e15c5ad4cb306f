"""Runs Python programs, each in a fork of one process that has imported what most of them need.

The imports of an example take longer than the example.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.running import ROOT

_LOOP = """
import os, runpy, sys
import bentoml, openai

for line in sys.stdin:
    program, stdout, stderr = line.rstrip("\\n").split("\\t")
    if not (pid := os.fork()):
        for descriptor, path in ((1, stdout), (2, stderr)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.chdir(os.path.dirname(program))
        runpy.run_path(program, run_name="__main__")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class ForkedPrograms:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, program: Path) -> subprocess.CompletedProcess[str]:
        """Run a program in its folder, which is writable, and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        stdout, stderr = program.with_suffix(".out"), program.with_suffix(".err")
        self._process.stdin.write(f"{program}\t{stdout}\t{stderr}\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return subprocess.CompletedProcess([str(program)], status, stdout.read_text(), stderr.read_text())

    def close(self) -> None:
        self._process.communicate()
