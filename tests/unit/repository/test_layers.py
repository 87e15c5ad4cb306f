"""Who may import whom, as docs/architecture.md draws it, and what the flows must never load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = {
    "bentoml",
    "torch",
    "vllm",
    "pymilvus",
    "milvus_lite",
    "sentence_transformers",
    "transformers",
    "faiss",
    "pandas",
}
FLOWS = ["rag.ingest", "rag.retrieve", "rag.generate"]
LOAD_ALL = """
import importlib, json, pkgutil, sys
for flow in sys.argv[1:]:
    package = importlib.import_module(flow)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_imports_point_downwards() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_flows_load_no_heavy_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, *FLOWS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not HEAVY.intersection(json.loads(done.stdout))
