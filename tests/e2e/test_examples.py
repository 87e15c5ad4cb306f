"""What the papers show is run as it stands, but for the address.

A ```text block right behind an example is what it prints, where `...` stands for anything in a line. An example without
one must end a stream, or a job.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.running import LIMIT_S, ROOT, RunningService

PAPERS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


class Example(NamedTuple):
    name: str
    code: str
    printed: str | None
    """What the paper says that it prints; None: nothing."""


def examples(language: str) -> list[Example]:
    found = []
    for paper in PAPERS:
        blocks = (block for block in _BLOCK.finditer(paper.read_text()) if block[1] == language and _is_whole(block[2]))
        found += [Example(f"{paper.name} {number}", block[2], block[3]) for number, block in enumerate(blocks)]
    return found


def _is_whole(code: str) -> bool:
    """Not a module for the service: those are run by tests/unit/test_own_paths.py."""
    return not code.startswith("# my_paths.py")


def curl_examples() -> list[Example]:
    """Each line with curl; what is printed is said of a block with one."""
    found = []
    for block in examples("sh"):
        lines = [line for line in block.code.splitlines() if line.startswith("curl ")]
        found += [Example(f"{block.name} {number}", line, block.printed) for number, line in enumerate(lines)]
    return found


PYTHON = examples("python")
CURL = curl_examples()


def run(example: Example, command: list[str | Path]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    if example.printed is None:
        assert_ended(done.stdout)
    else:
        assert_like(done.stdout, example.printed)


def assert_ended(output: str) -> None:
    if "event: " in output:
        assert "event: done" in output
    elif output.startswith("{"):
        assert '"completed"' in output
    else:
        assert output.strip()


def assert_like(output: str, told: str) -> None:
    """White space does not count, nor what `...` stands for."""
    said, wanted = ([" ".join(line.split()) for line in text.splitlines() if line.strip()] for text in (output, told))
    assert len(said) == len(wanted), output
    for line, pattern in zip(said, wanted, strict=True):
        assert re.fullmatch(re.escape(pattern).replace(r"\.\.\.", ".*"), line), f"{line!r} is not like {pattern!r}"


@pytest.mark.parametrize("example", PYTHON, ids=[example.name for example in PYTHON])
def test_python(filled: RunningService, example: Example, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(example.code.replace("http://localhost:3000", filled.url))
    run(example, [sys.executable, script])


@pytest.mark.parametrize("example", CURL, ids=[example.name for example in CURL])
def test_curl(filled: RunningService, example: Example) -> None:
    line = example.code.replace("localhost:3000", filled.url.removeprefix("http://")).replace("curl ", "curl -sf ", 1)
    run(example, ["bash", "-c", line])


def test_there_are_examples() -> None:
    assert len(PYTHON) >= 4
    assert len(CURL) >= 4
    assert sum(example.printed is not None for example in PYTHON) >= 2
