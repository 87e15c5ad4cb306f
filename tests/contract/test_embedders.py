from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rag.adapters.compute_turn import ComputeTurn
from rag.adapters.st_embedder import StEmbedder
from rag.config import EmbedderSettings
from rag.http.remote import RemoteEmbedder
from tests.contract.embedder_contract import EmbedderContract
from tests.embedder_service import an_embedder_service
from tests.fakes import FakeEmbedder
from tests.small_models import embedded_encoder


@pytest.fixture(scope="module")
def loaded() -> StEmbedder:
    return StEmbedder(embedded_encoder(), EmbedderSettings(device="cpu", threads=1), ComputeTurn())


class TestFakeEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> FakeEmbedder:
        return FakeEmbedder()


@pytest.mark.integration
class TestOverHttp(EmbedderContract):
    @pytest.fixture
    async def embedder(self) -> AsyncIterator[RemoteEmbedder]:
        async with an_embedder_service() as client:
            remote = RemoteEmbedder(client)
            await remote.connect()
            yield remote


@pytest.mark.integration
class TestStEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, loaded: StEmbedder) -> StEmbedder:
        return loaded
