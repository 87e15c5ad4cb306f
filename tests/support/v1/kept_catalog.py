"""An edge whose Retriever keeps responses and conversations in a real catalog."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from rag.library.answers.background import BackgroundRegistry
from rag.library.answers.chat_completions import CompletionRegistry
from rag.library.answers.conversations import ConversationRegistry
from rag.library.answers.responses import ResponseRegistry
from rag.types import Hit
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.builders import a_chunk
from tests.support.catalogs import a_catalog
from tests.support.servers.edge_service import EdgeService, an_edge

HITS = (Hit(a_chunk("zebras eat grass", filename="zebras.md"), 0.9),)


@contextlib.asynccontextmanager
async def a_keeping_edge(
    folder: Path, generator: FakeGenerator | None = None, *, may_store: bool = True, **options: Any
) -> AsyncIterator[EdgeService]:
    """Args:
    options: As those of `an_edge`.
    """
    database = a_catalog(folder)
    conversations = ConversationRegistry(database, 30, may_store=may_store)
    completions = CompletionRegistry(database, 30)
    retriever = FakeRetriever(
        HITS,
        responses=ResponseRegistry(database, 30),
        conversations=conversations,
        completions=completions,
        background=BackgroundRegistry(database, 30),
    )
    generator = generator or FakeGenerator("Grass [1].")
    try:
        async with an_edge(generator, retriever, may_store=may_store, **options) as edge:
            yield edge
    finally:
        database.close()
