"""The command line, `python -m rag ...`: a client of a running service, apart from `prepare`, which loads models,
`check`, which reads files, and `keys` and `audit`, which can also work on the catalog directly.

Exit codes: 0 success, 1 failure (the reason is on stderr), 2 wrong command line, 130 interrupted while following jobs,
which continue in the service. With `--json`, stdout holds only JSON: one document, or for lists one object a line.
"""

from __future__ import annotations

import click

from rag.cli import ask, audit, check, evaluate, files, mcp, prepare
from rag.cli.ingest.command import ingest
from rag.cli.jobs.commands import jobs
from rag.cli.jobs.reindex import reindex
from rag.cli.keys.commands import keys
from rag.cli.stores.commands import stores

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Retrieval-augmented answers from your own documents."""


for command in (
    prepare.prepare,
    check.check,
    ingest,
    ask.ask,
    ask.retrieve,
    ask.status,
    files.files,
    stores,
    jobs,
    reindex,
    keys,
    audit.audit,
    mcp.mcp,
    evaluate.evaluate,
):
    main.add_command(command)
