"""`python -m rag.readers`: the fork server that `rag.adapters.parser_process` starts."""

from __future__ import annotations

from rag.readers.process.fork_server import main

main()
