"""What the papers show is run as it stands, but for the address."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, RunningService

PAPERS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """(paper, text) of every block in this language."""
    found = []
    for paper in PAPERS:
        for text in re.findall(rf"```{language}\n(.*?)```", paper.read_text(), re.DOTALL):
            found.append((paper.name, text))
    return found


PYTHON = blocks("python")
CURL = [(name, line) for name, text in blocks("sh") for line in text.splitlines() if line.startswith("curl ")]


@pytest.mark.parametrize(("paper", "code"), PYTHON, ids=[f"{name} {i}" for i, (name, _) in enumerate(PYTHON)])
def test_python(filled: RunningService, paper: str, code: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(code.replace("http://localhost:3000", filled.url))
    done = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "event: done" in done.stdout


@pytest.mark.parametrize(("paper", "line"), CURL, ids=[f"{name} {i}" for i, (name, _) in enumerate(CURL)])
def test_curl(filled: RunningService, paper: str, line: str) -> None:
    command = line.replace("localhost:3000", filled.url.removeprefix("http://")).replace("curl ", "curl -sf ", 1)
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "event: done" in done.stdout or '"completed"' in done.stdout


def test_there_are_examples() -> None:
    assert len(PYTHON) >= 2
    assert len(CURL) >= 3
