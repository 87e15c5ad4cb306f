"""Time to first token with and without vLLM's prefix cache; one user, two services that take turns in one run.

Distinct questions share only the system prompt. Turns of a conversation share its history. A repeated question shares
its whole prompt. A session is a conversation of ten turns about one document. A day is many questions of which a few
are asked often, as Zipf's law has it. For both, the share of prompt tokens that came from the cache is reported, too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from bench.load import Call, Load, measure
from bench.report import CellResult, ReportRow, compare, summary
from bench.servers import bundle
from bench.workload import Workload

CELL = "prefix"
PREFIX_CACHE_OFF = {"RAG_LLM__ENGINE__ENABLE_PREFIX_CACHING": "false"}
_TURNS = 4
"""How often the two services alternate."""
_LONG_ANSWER = "The engine waits until it is asked, and writes its answer token by token. " * 24
"""An answer of about 400 tokens."""
_SHORT_ANSWER = "It is set when the index is built, and can only be changed by building the index again. [1]"
_SESSION_TURNS = 10
_DAY_QUESTIONS = 40
_DAY, _QUICK_DAY = 200, 60
"""Questions of a day."""
_HEADING = re.compile(r"^#{2,4}\s+(.{4,80}?)\s*#*$", re.MULTILINE)

Calls = Mapping[str, Sequence[Call]]


def run(workload: Workload) -> CellResult:
    workload.fill()
    count = _TURNS * (2 if workload.quick else 8)
    questions = list(dict.fromkeys(workload.questions))[:count]
    with (
        bundle(workload.data_dir, workload.log("prefix-with")) as cached,
        bundle(workload.copied_data_dir("prefix-data"), workload.log("prefix-without"), **PREFIX_CACHE_OFF) as plain,
    ):
        taken: dict[str, list[list[float]]] = {}
        for turn in range(_TURNS):
            part = questions[turn::_TURNS]
            for place, server in enumerate((cached, plain)):
                for what, calls in _calls(server.url, part).items():
                    times = taken.setdefault(what, [[], []])
                    times[place] += measure(calls, users=1).first_token_ms
        whole = {
            what: [measure(calls(server.url, workload), users=1) for server in (cached, plain)]
            for what, calls in (("session", session), ("day", day))
        }
    rows = [_row(what, *times) for what, times in taken.items()]
    for what, (with_cache, without) in whole.items():
        taken[what] = [with_cache.first_token_ms, without.first_token_ms]
        rows += _rows(what, with_cache, without)
    details = {what: {"with": summary(a), "without": summary(b)} for what, (a, b) in taken.items()}
    return CellResult(rows, details)


def session(url: str, workload: Workload) -> list[Call]:
    """A conversation about the document that has the most headings, one after the other."""
    texts = [upload.path.read_text(encoding="utf-8", errors="replace") for upload in workload.uploads]
    headings = max((list(dict.fromkeys(_HEADING.findall(text))) for text in texts), key=len)[:_SESSION_TURNS]
    asked = [f"{'And what' if turn else 'What'} is said about {each}?" for turn, each in enumerate(headings)]
    answered = [text for question in asked for text in (question, _SHORT_ANSWER)]
    return [_call(url, question, *answered[: 2 * turn]) for turn, question in enumerate(asked)]


def day(url: str, workload: Workload) -> list[Call]:
    """Questions drawn by Zipf's law: the n-th most frequent one has the weight 1/n. Equal in every run."""
    drawn = random.Random(0)
    questions = list(dict.fromkeys(workload.questions))[:_DAY_QUESTIONS]
    weights = [1 / rank for rank in range(1, len(questions) + 1)]
    chosen = drawn.choices(questions, weights, k=_QUICK_DAY if workload.quick else _DAY)
    return [_call(url, question) for question in chosen]


def _calls(url: str, questions: Sequence[str]) -> Calls:
    alone = [_call(url, question) for question in questions]
    return {
        "questions": alone,
        "repeated": alone,
        "after a long answer": [_call(url, question, questions[0], _LONG_ANSWER) for question in questions],
    }


def _call(url: str, question: str, *previous: str) -> Call:
    history = [{"role": ("user", "assistant")[turn % 2], "content": text} for turn, text in enumerate(previous)]
    return Call(url + "/ask", {"question": question, "history": history, "max_tokens": 4, "temperature": 0.0})


def _row(what: str, cached: Sequence[float], plain: Sequence[float]) -> ReportRow:
    ours, theirs = summary(cached)["p50"], summary(plain)["p50"]
    return compare(CELL, f"first token, {what}: with / without", "ms, p50", ours, theirs)


def _rows(what: str, cached: Load, plain: Load) -> list[ReportRow]:
    share = ReportRow(CELL, f"prompt tokens from the cache, {what}", "%", 100 * cached.cached_share)
    return [_row(what, cached.first_token_ms, plain.first_token_ms), share]
