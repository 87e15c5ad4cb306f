from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rag.adapters.sentence_transformers.embedder import StEmbedder
from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from rag.adapters.sentence_transformers.tokenization.tokenizer import encoder_tokenizer
from rag.config import EmbedderSettings
from rag.http.clients.remote import RemoteEmbedder
from tests.contract.models.embedder_contract import EmbedderContract, IdsOf
from tests.fakes import FakeEmbedder
from tests.support.models.small_models import embedded_encoder
from tests.support.servers.embedder_service import an_embedder_service


@pytest.fixture(scope="module")
def loaded() -> StEmbedder:
    return StEmbedder(embedded_encoder(), EmbedderSettings(device="cpu", threads=1), ComputeScheduler())


@pytest.fixture(scope="module")
def loaded_with_prefixes() -> StEmbedder:
    settings = EmbedderSettings(device="cpu", threads=1, query_prefix="query: ", passage_prefix="passage: ")
    return StEmbedder(embedded_encoder(), settings, ComputeScheduler())


@pytest.fixture(params=[True, False], ids=["with marks", "without"])
def encoder_ids_of(request: pytest.FixtureRequest) -> IdsOf:
    tokenizer = encoder_tokenizer(embedded_encoder())
    return lambda text: list(tokenizer.encode(text, add_special_tokens=request.param).ids)


class TestFakeEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> FakeEmbedder:
        return FakeEmbedder()

    @pytest.fixture
    def ids_of(self) -> IdsOf:
        return FakeEmbedder().ids_of


@pytest.mark.integration
class TestOverHttp(EmbedderContract):
    @pytest.fixture
    async def embedder(self) -> AsyncIterator[RemoteEmbedder]:
        async with an_embedder_service() as client:
            remote = RemoteEmbedder(client)
            await remote.connect()
            yield remote

    @pytest.fixture
    def ids_of(self) -> IdsOf:
        return FakeEmbedder().ids_of


@pytest.mark.integration
class TestStEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, loaded: StEmbedder) -> StEmbedder:
        return loaded

    @pytest.fixture
    def ids_of(self, encoder_ids_of: IdsOf) -> IdsOf:
        return encoder_ids_of


@pytest.mark.integration
class TestStEmbedderWithPrefixes(EmbedderContract):
    @pytest.fixture
    def embedder(self, loaded_with_prefixes: StEmbedder) -> StEmbedder:
        return loaded_with_prefixes

    @pytest.fixture
    def ids_of(self, encoder_ids_of: IdsOf) -> IdsOf:
        return encoder_ids_of
