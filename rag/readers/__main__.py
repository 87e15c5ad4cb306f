"""`python -m rag.readers`: the process that `rag.adapters.parser_process` starts."""

from __future__ import annotations

from rag.readers.helper import main

main()
