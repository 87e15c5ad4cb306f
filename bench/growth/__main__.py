"""`python -m bench.growth`: measures the curves of docs/benchmarks.md, and draws them."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.growth import chunks, documents, users
from bench.growth.plot import draw

_TOP_KS = (1, 5, 10, 20, 50)
_USERS = (1, 2, 4, 8, 16, 32, 64)
_DOCUMENTS_KB = (10, 100, 1000)


def main(arguments: Sequence[str] | None = None) -> int:
    cli = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    cli.add_argument("--chunks", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    cli.add_argument("--users", type=int, nargs="+", default=list(_USERS))
    cli.add_argument("--top-k", type=int, nargs="+", default=list(_TOP_KS))
    cli.add_argument("--kilobytes", type=int, nargs="+", default=list(_DOCUMENTS_KB), help="sizes of documents")
    cli.add_argument("--folder", type=Path, help="keep the chunks here and reuse them in the next run")
    cli.add_argument("--plot", type=Path, default=Path("bench/growth/growth.svg"))
    chosen = cli.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="rag-growth-") as temporary:
        folder = (chosen.folder or Path(temporary)).absolute()
        curves = [
            *chunks.curves(folder, chosen.chunks, chosen.top_k),
            users.curve(folder, chosen.chunks[min(1, len(chosen.chunks) - 1)], chosen.users),
            documents.curve(folder, chosen.kilobytes),
        ]
    for curve in curves:
        print(f"{curve.title}\n\n{curve.table()}\n", flush=True)
    draw(curves, chosen.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
