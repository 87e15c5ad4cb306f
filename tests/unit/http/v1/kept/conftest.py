"""An edge that keeps responses, chat completions and conversations in a real catalog."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers.edge_service import EdgeService
from tests.support.v1.kept_catalog import a_keeping_edge


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[EdgeService]:
    async with a_keeping_edge(tmp_path) as edge:
        yield edge


@pytest.fixture
async def client(edge: EdgeService) -> AsyncIterator[Any]:
    """OpenAI's client, whose types lack fields that this service adds."""
    async with edge.openai() as client:
        yield client
