"""The Bento from which the session's service is served, by its tag and in an empty folder."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.bento import Bento
from tests.e2e.running import RunningService


def test_it_contains_what_it_needs_and_nothing_specific_to_this_machine(bento: Bento) -> None:
    sources = {str(path.relative_to(bento.folder / "src")) for path in (bento.folder / "src").rglob("*")}
    assert {"service.py", "rag/bootstrap/process.py", "README.md"} <= sources
    assert not [name for name in sources if name.startswith(("tests", ".data", ".venv", "bench"))]
    dockerfile = (bento.folder / "env" / "docker" / "Dockerfile").read_text()
    assert "python:3.11" in dockerfile
    requirements = (bento.folder / "env" / "python" / "requirements.txt").read_text()
    assert "vllm==" in requirements
    assert "+cpu" not in requirements


def test_served_from_its_tag_in_an_empty_folder_it_answers(
    bento: Bento, filled: RunningService, empty_folder: Path
) -> None:
    for process in filled.processes():
        assert Path(process.cwd()) in (empty_folder, bento.folder / "src"), process.cmdline()
    answered = filled.stream("/ask", {"question": "Which lake is the axolotl from?", "max_tokens": 40})
    assert answered.data("sources")["sources"][0]["filename"] == "animals/axolotl.md"
    assert answered.names[-1] == "done"
    assert list(empty_folder.iterdir()) == []
