"""Whole quoted answers with and without fast-forwarded tokens; two services that take turns in one run.

Once the ranking chooses the quotes, as with the embedded model, and once the model does, as with any other: here the
embedded one, configured like another. The measurements alternate: without, with, without.
"""

from __future__ import annotations

import statistics

from bench.load import WARM_UP, Call, Load, measure
from bench.report import CellResult, ReportRow, compare, spread, summary
from bench.servers import Server, bundle
from bench.workload import Workload
from rag import config
from rag.adapters import model_files

CELL = "quoted"
LEVELS = (1, 8)
OFF = {"RAG_LLM__FAST_FORWARD": "false"}


def run(workload: Workload) -> CellResult:
    workload.fill()
    rows: list[ReportRow] = []
    details: dict[str, object] = {}
    model = str(model_files.llm_folder(config.load()))
    for chooser, more in (("the ranking", {}), ("the model", {"RAG_LLM__MODEL": model})):
        own = {"RAG_PROMPT__STYLE": "quoted", **more}
        with (
            bundle(workload.data_dir, workload.log("quoted-with"), **own) as fast,
            bundle(workload.copied_data_dir("quoted-data"), workload.log("quoted-without"), **own, **OFF) as plain,
        ):
            for users in LEVELS:
                count = max(4, users * (2 if workload.quick else 4))
                before, with_it, after = (_load(server, workload.take(count), users) for server in (plain, fast, plain))
                rows += _rows(f"{chooser} chooses, {users} user{'s' * (users > 1)}", with_it, [before, after])
                for name, load in (("with", with_it), ("before", before), ("after", after)):
                    details[f"{chooser}, {users}, {name}"] = {"answer_ms": summary(_answer_ms(load))}
    return CellResult(rows, details)


def _load(server: Server, questions: list[str], users: int) -> Load:
    calls = [Call(server.url + "/ask", {"question": question}) for question in questions]
    return measure(calls, users, calls[-WARM_UP:])


def _rows(what: str, own: Load, baselines: list[Load]) -> list[ReportRow]:
    rates = [each.tokens_per_s for each in baselines]
    whole = statistics.fmean(statistics.fmean(_answer_ms(each)) for each in baselines)
    note = f"baseline noise {spread(rates):.0%}"
    return [
        compare(
            CELL, f"tokens/s, {what}", "tokens/s", own.tokens_per_s, statistics.fmean(rates), at_least=1, note=note
        ),
        compare(CELL, f"whole answer, {what}", "ms, mean", statistics.fmean(_answer_ms(own)), whole, at_most=1),
    ]


def _answer_ms(load: Load) -> list[float]:
    """Of the answers; a question that finds nothing has no tokens and is left out."""
    return [answer.total_s * 1000 for answer in load.good if answer.tokens]
