"""Time to the first token with vLLM's prefix cache and without it; one user, both services in one run, in turns.

Distinct questions share the system's words alone. A conversation shares what was said before. A question that is asked
again shares its whole prompt.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.job import STORED, PeerJob
from bench.load import Call, measure
from bench.report import CellResult, ReportRow, summary, versus
from bench.servers import Server, bundle

CELL = "prefix"
WITHOUT = {"RAG_LLM__ENGINE__ENABLE_PREFIX_CACHING": "false"}
_TURNS = 4
"""Times that the services take turns."""
_SAID = "The engine waits until it is asked, and writes its answer token by token. " * 24
"""An answer of some 400 tokens."""

Calls = Mapping[str, Sequence[Call]]


def run(job: PeerJob) -> CellResult:
    job.fill()
    count = _TURNS * (2 if job.quick else 8)
    questions = list(dict.fromkeys(job.questions))[:count]
    with (
        bundle(job.data_dir, job.log("prefix-with")) as cached,
        bundle(_copy(job), job.log("prefix-without"), **WITHOUT) as plain,
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
        "the same again": alone,
        "after a long answer": [_call(server, question, questions[0], _SAID) for question in questions],
    }


def _call(server: Server, question: str, *said: str) -> Call:
    history = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), said, strict=False)]
    return Call(server.url + "/ask", {"question": question, "history": history, "max_tokens": 4, "temperature": 0.0})


def _row(what: str, cached: Sequence[float], plain: Sequence[float]) -> ReportRow:
    ours, theirs = summary(cached)["p50"], summary(plain)["p50"]
    return versus(CELL, f"first token, {what}: with / without", "ms, p50", ours, theirs)


def _copy(job: PeerJob) -> Path:
    """The documents for a second service, since Milvus Lite lets one in; the models are the same files."""
    folder = job.work / "prefix-data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "models").symlink_to(job.data_dir / "models")
    for pattern in STORED:
        for path in job.data_dir.glob(pattern):
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, folder / path.name)
    return folder
