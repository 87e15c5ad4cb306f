"""Builds the Bento that the tests serve."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.running import ROOT


@dataclass(frozen=True)
class Bento:
    home: Path
    """BentoML's home folder, which contains only this Bento."""
    tag: str

    @property
    def folder(self) -> Path:
        name, version = self.tag.split(":")
        return self.home / "bentos" / name / version


def build_bento(home: Path) -> Bento:
    command = [sys.executable, "-m", "bentoml", "build", "-o", "tag"]
    env = {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return Bento(home, done.stdout.strip().splitlines()[-1].removeprefix("__tag__:"))
