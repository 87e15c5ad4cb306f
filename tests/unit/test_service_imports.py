"""Each service's process imports only what that service needs: less memory, and an earlier start."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ALL = {"alembic", "fastapi", "openai", "pandas", "pymilvus", "sqlalchemy", "torch", "transformers", "vllm"}


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import service", set()),  # in every process, and in that of `bentoml serve`
        ("import service; from rag.bootstrap import embedder, llm", set()),
        ("import service; from rag.bootstrap import edge", {"openai"}),
    ],
)
def test_a_process_imports_no_library_that_it_does_not_need(statement: str, allowed: set[str]) -> None:
    code = f"import json, sys; {statement}; print(json.dumps([name for name in {ALL} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) <= allowed
