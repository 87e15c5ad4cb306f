"""Importing the command line loads no heavy library, so that it starts fast."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_line_loads_no_heavy_library() -> None:
    heavy = ("bentoml", "torch", "vllm", "numpy", "pymilvus", "pydantic", "watchfiles", "starlette")
    code = f"import sys, rag.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
