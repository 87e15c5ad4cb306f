"""Runs the examples in the documentation as written, with only the address changed.

A ```text block directly after an example is its expected output, in which `...` matches anything within a line. An
example without one must complete a stream or a job.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.running import LIMIT_S, ROOT, RunningService
from tests.support.forked_programs import ForkedPrograms

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


class Example(NamedTuple):
    name: str
    code: str
    printed: str | None
    """The documented output; None if there is none."""


def examples(language: str) -> list[Example]:
    found = []
    for page in PAGES:
        blocks = (block for block in _BLOCK.finditer(page.read_text()) if block[1] == language and _is_whole(block[2]))
        found += [Example(f"{page.name} {number}", block[2], block[3]) for number, block in enumerate(blocks)]
    return found


def _is_whole(code: str) -> bool:
    """Whether it is a complete program, not a module for the service: the tests of custom retrievers run those."""
    return not code.startswith("# my_paths.py")


def curl_examples() -> list[Example]:
    """Each line that calls curl. A documented output belongs to a block with a single line."""
    found = []
    for block in examples("sh"):
        lines = [line for line in block.code.splitlines() if line.startswith("curl ")]
        found += [Example(f"{block.name} {number}", line, block.printed) for number, line in enumerate(lines)]
    return found


PYTHON = examples("python")
CURL = curl_examples()


def check(example: Example, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    if example.printed is None:
        assert_ended(done.stdout)
    else:
        assert_matches(done.stdout, example.printed)


def assert_ended(output: str) -> None:
    if "event: " in output:
        assert "event: done" in output
    elif output.startswith("{"):
        assert '"completed"' in output
    else:
        assert output.strip()


def assert_matches(output: str, expected: str) -> None:
    """White space is ignored, and `...` in the expected output matches anything."""
    printed, wanted = (
        [" ".join(line.split()) for line in text.splitlines() if line.strip()] for text in (output, expected)
    )
    assert len(printed) == len(wanted), output
    for line, pattern in zip(printed, wanted, strict=True):
        assert re.fullmatch(re.escape(pattern).replace(r"\.\.\.", ".*"), line), f"{line!r} does not match {pattern!r}"


@pytest.fixture(scope="module")
def programs() -> Iterator[ForkedPrograms]:
    started = ForkedPrograms()
    yield started
    started.close()


def marks(example: Example) -> list[pytest.MarkDecorator]:
    """A batch, and several searches for one answer, take longer than the other examples."""
    return [pytest.mark.long] if re.search(r'batches\.create|"search": "model"', example.code) else []


@pytest.mark.parametrize("example", [pytest.param(each, id=each.name, marks=marks(each)) for each in PYTHON])
def test_python(filled: RunningService, programs: ForkedPrograms, example: Example, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(example.code.replace("http://localhost:3000", filled.url))
    check(example, programs.run(script))


@pytest.mark.parametrize("example", CURL, ids=[example.name for example in CURL])
def test_curl(filled: RunningService, example: Example) -> None:
    line = example.code.replace("localhost:3000", filled.url.removeprefix("http://")).replace("curl ", "curl -sf ", 1)
    command = ["bash", "-c", line]
    check(example, subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False))


def test_there_are_examples() -> None:
    assert len(PYTHON) >= 4
    assert len(CURL) >= 4
    assert sum(example.printed is not None for example in PYTHON) >= 2
