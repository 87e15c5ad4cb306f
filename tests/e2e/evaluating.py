"""Runs `python -m rag eval` against a running service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.running import ROOT, RunningService

OWN_DOCS = ROOT / "evals" / "sets" / "own_docs"


def evaluate(
    service: RunningService, folder: Path, *arguments: object, timeout_s: float = 800
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rag", "eval", "--url", service.url, "--out", folder, *arguments]
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=timeout_s)


def read(folder: Path, set_name: str, config: str) -> dict[str, Any]:
    report = json.loads((folder / "report.json").read_text())
    found: dict[str, Any] = report["sets"][set_name]["configurations"][config]
    return found
