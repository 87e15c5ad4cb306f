"""Time to first token with and without vLLM's prefix cache; one user, two services that take turns in one run.

Distinct questions share only the system prompt. Turns of a conversation share its history. A repeated question shares
its whole prompt.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.load import Call, measure
from bench.report import CellResult, ReportRow, compare, summary
from bench.servers import Server, bundle
from bench.workload import DOCUMENT_FILES, Workload

CELL = "prefix"
PREFIX_CACHE_OFF = {"RAG_LLM__ENGINE__ENABLE_PREFIX_CACHING": "false"}
_TURNS = 4
"""How often the two services alternate."""
_LONG_ANSWER = "The engine waits until it is asked, and writes its answer token by token. " * 24
"""An answer of about 400 tokens."""

Calls = Mapping[str, Sequence[Call]]


def run(workload: Workload) -> CellResult:
    workload.fill()
    count = _TURNS * (2 if workload.quick else 8)
    questions = list(dict.fromkeys(workload.questions))[:count]
    with (
        bundle(workload.data_dir, workload.log("prefix-with")) as cached,
        bundle(_copy(workload), workload.log("prefix-without"), **PREFIX_CACHE_OFF) as plain,
    ):
        taken: dict[str, list[list[float]]] = {}
        for turn in range(_TURNS):
            part = questions[turn::_TURNS]
            for place, server in enumerate((cached, plain)):
                for what, calls in _calls(server, part).items():
                    times = taken.setdefault(what, [[], []])
                    times[place] += measure(calls, users=1).first_token_ms
    rows = [_row(what, *times) for what, times in taken.items()]
    return CellResult(rows, {what: {"with": summary(a), "without": summary(b)} for what, (a, b) in taken.items()})


def _calls(server: Server, questions: Sequence[str]) -> Calls:
    alone = [_call(server, question) for question in questions]
    return {
        "questions": alone,
        "repeated": alone,
        "after a long answer": [_call(server, question, questions[0], _LONG_ANSWER) for question in questions],
    }


def _call(server: Server, question: str, *previous: str) -> Call:
    history = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), previous, strict=False)]
    return Call(server.url + "/ask", {"question": question, "history": history, "max_tokens": 4, "temperature": 0.0})


def _row(what: str, cached: Sequence[float], plain: Sequence[float]) -> ReportRow:
    ours, theirs = summary(cached)["p50"], summary(plain)["p50"]
    return compare(CELL, f"first token, {what}: with / without", "ms, p50", ours, theirs)


def _copy(workload: Workload) -> Path:
    """A copy of the data folder: only one process can open a Milvus Lite file. Models are linked."""
    folder = workload.work / "prefix-data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "models").symlink_to(workload.data_dir / "models")
    for pattern in DOCUMENT_FILES:
        for path in workload.data_dir.glob(pattern):
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, folder / path.name)
    return folder
