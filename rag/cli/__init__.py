"""`python -m rag ...`: prepare the models, feed documents, ask, keep house, measure. The heavy work is the service's.

Exit codes: 0 it worked, 1 it did not (the reason is on stderr), 2 the command line is wrong, 130 interrupted while
following jobs, which go on. With `--json` stdout has JSON and nothing else: one document, or one a line for lists.
"""

from __future__ import annotations

import click

from rag.cli import ask, evaluate, files, ingest, jobs, prepare, reindex, stores

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Retrieval-augmented answers from your own documents."""


for command in (
    prepare.prepare,
    ingest.ingest,
    ask.ask,
    ask.retrieve,
    ask.status,
    files.files,
    stores.stores,
    jobs.jobs,
    reindex.reindex,
    evaluate.evaluate,
):
    main.add_command(command)
