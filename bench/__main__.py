"""`python -m bench`: measures all cells, prints one table and writes bench/out/NAME.json."""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import admission, page, report, start
from bench.answers import openai_chat, own_work, peers, prefix, quoted, stream, tracing
from bench.retrieval import cached, during_ingest, ingest, paths, restart, retrieve
from bench.workload import Workload, make_workload, own_documents
from rag.errors import RagError

CELLS: dict[str, Callable[[Workload], report.CellResult]] = {
    own_work.CELL: own_work.run,
    stream.CELL: stream.run,
    openai_chat.CELL: openai_chat.run,
    prefix.CELL: prefix.run,
    tracing.CELL: tracing.run,
    quoted.CELL: quoted.run,
    ingest.CELL: ingest.run,
    restart.CELL: restart.run,
    retrieve.CELL: retrieve.run,
    paths.CELL: paths.run,
    cached.CELL: cached.run,
    during_ingest.CELL: during_ingest.run,
    admission.CELL: admission.run,
    start.CELL: start.run,
    page.CELL: page.run,
}
OUT = Path(__file__).parent / "out"


def options() -> argparse.ArgumentParser:
    cli = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    cli.add_argument(
        "--only",
        nargs="+",
        choices=list(CELLS),
        metavar="CELL",
        help=f"cells to measure: {', '.join(CELLS)}; default: all",
    )
    cli.add_argument("--quick", action="store_true", help="fewer requests and users, for a smoke test")
    cli.add_argument(
        "--without-engine", action="store_true", help="use a stub language model in the cell admission, too"
    )
    cli.add_argument(
        "--docs", nargs="+", type=Path, help="folders and files to ingest; default: this project's documentation"
    )
    cli.add_argument("--every", type=int, default=1, help="take every n-th file")
    cli.add_argument(
        "--questions", type=Path, help="JSON Lines file with a `question` per line; default: made from headings"
    )
    cli.add_argument("--peers", type=Path, help="folder with scripts of other frameworks, to measure them as well")
    cli.add_argument(
        "--peer-python", action="append", default=[], metavar="NAME=PATH", help="Python interpreter of such a script"
    )
    cli.add_argument("--work", type=Path, help="folder for logs and data; an existing store in it is reused")
    cli.add_argument("--name", help="name of the JSON file in bench/out; default: date and time")
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    chosen, console = options().parse_args(arguments), Console(width=max(Console().width, 140))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results: dict[str, report.CellResult] = {}
    try:
        with ExitStack() as stack:
            workload = _workload(chosen, stack)
            for name in chosen.only or CELLS:
                console.print(f"[dim]measuring {name} ...[/]")
                results[name] = CELLS[name](workload)
            if chosen.peers:
                results[peers.CELL] = peers.run(workload, chosen.peers, _pythons(chosen.peer_python))
    except KeyboardInterrupt:
        console.print("interrupted; these are the results so far")
        return 130
    except (RagError, RuntimeError, ValueError) as error:
        console.print(f"[red]failed:[/] {error}", markup=True, highlight=False)
        return 1
    finally:
        _report(results, chosen, console)
    return 0


def _workload(chosen: argparse.Namespace, stack: ExitStack) -> Workload:
    work = chosen.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rag-bench-")))
    docs = chosen.docs or own_documents()
    return make_workload(
        docs,
        chosen.every,
        chosen.questions,
        work.absolute(),
        quick=chosen.quick,
        without_engine=chosen.without_engine,
    )


def _pythons(pairs: Sequence[str]) -> dict[str, str]:
    return {name: path for name, _, path in (pair.partition("=") for pair in pairs)}


def _report(results: dict[str, report.CellResult], chosen: argparse.Namespace, console: Console) -> None:
    if not results:
        return
    report.show([row for result in results.values() for row in result.rows], console)
    name = chosen.name or datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    about: dict[str, Any] = {"quick": chosen.quick, "every": chosen.every, "own_documents": chosen.docs is None}
    path = OUT / f"{name}.json"
    report.write(path, report.as_json(results, about))
    console.print(f"[dim]written to bench/out/{path.name}[/]")


if __name__ == "__main__":
    sys.exit(main())
