"""An edge whose Retriever keeps responses and conversations in a real catalog."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from rag.library.answers.background import BackgroundRegistry
from rag.library.answers.chat_completions import CompletionRegistry
from rag.library.answers.compaction_seal import CompactionSeal
from rag.library.answers.conversations import ConversationRegistry
from rag.library.answers.responses import ResponseRegistry
from rag.retrieve.compaction.compactor import Compactor
from rag.retrieve.prompting.template_check import open_templates
from rag.types import Hit
from tests.fakes import FakeGenerator, FakeRetriever, FakeTokenizer
from tests.fakes.services.retriever import Compaction
from tests.support.builders import a_chunk
from tests.support.catalogs import a_catalog
from tests.support.servers.edge_service import EdgeService, an_edge

HITS = (Hit(a_chunk("zebras eat grass", filename="zebras.md"), 0.9),)


SUMMARY_TEXT = "They talked about zebras, and the code is 4711."
SUMMARY = json.dumps({"summary": SUMMARY_TEXT})


def a_compaction(folder: Path, generator: FakeGenerator, *, timeout_s: float = 60.0) -> Compaction:
    compactor = Compactor(generator, FakeTokenizer(), open_templates(None, fence=True), timeout_s=timeout_s)
    return Compaction(compactor, CompactionSeal(folder))


@contextlib.asynccontextmanager
async def a_keeping_edge(
    folder: Path,
    generator: FakeGenerator | None = None,
    *,
    may_store: bool = True,
    summarizer: FakeGenerator | None = None,
    **options: Any,
) -> AsyncIterator[EdgeService]:
    """Args:
    summarizer: The language model that summarizes conversations.
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
        compaction=a_compaction(folder, summarizer or FakeGenerator(SUMMARY)),
    )
    generator = generator or FakeGenerator("Grass [1].")
    try:
        async with an_edge(generator, retriever, may_store=may_store, **options) as edge:
            yield edge
    finally:
        database.close()
