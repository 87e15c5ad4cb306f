"""A Bento does the same job, served from its tag in an empty folder. After the session's own service has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import DOCS
from tests.e2e.running import ROOT, start_service


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bentoml")


@pytest.fixture(scope="module")
def tag(home: Path) -> str:
    command = [sys.executable, "-m", "bentoml", "build", "-o", "tag"]
    env = {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.strip().splitlines()[-1].removeprefix("__tag__:")


def bento_folder(home: Path, tag: str) -> Path:
    name, version = tag.split(":")
    return home / "bentos" / name / version


def test_it_holds_what_it_needs_and_nothing_of_this_machine(home: Path, tag: str) -> None:
    folder = bento_folder(home, tag)
    sources = {str(path.relative_to(folder / "src")) for path in (folder / "src").rglob("*") if path.is_file()}
    assert {"service.py", "rag/bootstrap/process.py", "README.md"} <= sources
    assert not [name for name in sources if name.startswith(("tests/", ".data", ".venv", "bench/"))]
    dockerfile = (folder / "env" / "docker" / "Dockerfile").read_text()
    assert "python:3.11" in dockerfile
    requirements = (folder / "env" / "python" / "requirements.txt").read_text()
    assert "vllm==" in requirements
    assert "+cpu" not in requirements


def test_served_from_its_tag_in_an_empty_folder_it_answers(
    home: Path, tag: str, data_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(data_dir / "models")
    (tmp_path / "empty").mkdir()
    environment = {"BENTOML_HOME": str(home), "PYTHONPATH": ""}
    log = tmp_path / "service.log"
    bento = start_service(tmp_path / "data", log, target=tag, cwd=tmp_path / "empty", **environment)
    try:
        bento.wait_until_ready()
        bento.ingest({name: text.encode() for name, text in DOCS.items()})
        answered = bento.stream("/ask", {"question": "Which lake is the axolotl from?", "max_tokens": 40})
        assert answered.data("sources")["sources"][0]["filename"] == "animals/axolotl.md"
        assert answered.names[-1] == "done"
    finally:
        bento.end()
    assert list((tmp_path / "empty").iterdir()) == []
