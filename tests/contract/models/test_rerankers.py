from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rag.adapters.http_reranker import HttpReranker
from rag.adapters.sentence_transformers.cross_encoder import StCrossEncoder
from rag.adapters.sentence_transformers.embedder import StEmbedder
from rag.adapters.sentence_transformers.multi_vector.late_interaction import LateInteraction, TokenVectorCache
from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from rag.config import EmbedderSettings
from rag.http.clients.remote_models import RemoteReranker
from tests.contract.models.reranker_contract import RerankerContract
from tests.fakes import FakeReranker
from tests.support.models.small_models import a_cross_encoder, embedded_encoder
from tests.support.servers.embedder_service import an_embedder_service
from tests.support.servers.loopback import served
from tests.support.servers.rerank_endpoint import RerankEndpoint

CPU = EmbedderSettings(device="cpu", threads=1)


class TestFakeReranker(RerankerContract):
    @pytest.fixture
    def reranker(self) -> FakeReranker:
        return FakeReranker()


@pytest.mark.integration
class TestOverHttp(RerankerContract):
    @pytest.fixture
    async def reranker(self) -> AsyncIterator[RemoteReranker]:
        async with an_embedder_service() as client:
            yield RemoteReranker(client, "late_interaction", "fake-embedder", 5.0)


@pytest.mark.integration
@pytest.mark.parametrize("takes_texts", [False, True], ids=["documents", "texts"])
class TestHttpReranker(RerankerContract):
    @pytest.fixture
    async def reranker(self, takes_texts: bool) -> AsyncIterator[HttpReranker]:
        async with served(RerankEndpoint(takes_texts=takes_texts)) as url:
            reranker = HttpReranker(f"{url}/rerank", "model", "key", 5.0)
            yield reranker
            await reranker.close()


@pytest.mark.integration
class TestLateInteraction(RerankerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def reranker(cls) -> LateInteraction:
        turn = ComputeScheduler()
        return LateInteraction(StEmbedder(embedded_encoder(), CPU, turn), TokenVectorCache(2**20), turn)


@pytest.mark.integration
@pytest.mark.long
class TestLateInteractionThatForgets(RerankerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def reranker(cls) -> LateInteraction:
        turn = ComputeScheduler()
        return LateInteraction(StEmbedder(embedded_encoder(), CPU, turn), TokenVectorCache(0), turn)


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return a_cross_encoder(Path(tmp_path_factory.mktemp("models")), scale=100)


@pytest.mark.integration
class TestCrossEncoder(RerankerContract):
    understands = False

    @pytest.fixture(scope="class")
    @classmethod
    def reranker(cls, cross_encoder: str) -> StCrossEncoder:
        return StCrossEncoder(cross_encoder, "small", CPU, ComputeScheduler())
