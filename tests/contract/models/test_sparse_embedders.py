from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from rag.adapters.sentence_transformers.sparse import StSparseEmbedder
from rag.config import EmbedderSettings
from rag.http.clients.remote_models import RemoteSparseEmbedder, RemoteSparseEmbedders
from tests.contract.models.sparse_embedder_contract import SparseEmbedderContract
from tests.fakes import FakeSparseEmbedder, FakeSparseEmbedders
from tests.support.models.small_models import (
    a_masked_language_model,
    a_splade,
    a_static_sparse_encoder,
    an_inference_free_splade,
)
from tests.support.servers.embedder_service import an_embedder_service

CPU = EmbedderSettings(device="cpu", threads=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where models are made, each once."""
    return tmp_path_factory.mktemp("models")


class TestFakeSparseEmbedder(SparseEmbedderContract):
    @pytest.fixture
    def embedder(self) -> FakeSparseEmbedder:
        return FakeSparseEmbedder()


@pytest.mark.integration
class TestOverHttp(SparseEmbedderContract):
    @pytest.fixture
    async def embedder(self) -> AsyncIterator[RemoteSparseEmbedder]:
        async with an_embedder_service(sparse=FakeSparseEmbedders("other", "sparse")) as client:
            yield await RemoteSparseEmbedders(client).named("sparse")


class _Real(SparseEmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls, folder: str) -> StSparseEmbedder:
        return StSparseEmbedder(folder, "small", CPU, ComputeScheduler())


@pytest.mark.integration
class TestStaticWeights(_Real):
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, made: Path) -> str:
        return a_static_sparse_encoder(made / "static")


@pytest.mark.integration
class TestSplade(_Real):
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, made: Path) -> str:
        return a_splade(made / "splade")


@pytest.mark.integration
class TestSpladeAsTransformersSavesIt(_Real):
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, made: Path) -> str:
        return a_masked_language_model(made / "masked")


@pytest.mark.integration
class TestInferenceFreeSplade(_Real):
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, made: Path) -> str:
        return an_inference_free_splade(made / "router")


@pytest.mark.integration
async def test_the_bound_of_terms_is_the_models_own(tmp_path: Path) -> None:
    embedder = StSparseEmbedder(a_splade(tmp_path, max_active_dims=7), "small", CPU, ComputeScheduler())
    every = StSparseEmbedder(a_splade(tmp_path / "every"), "small", CPU, ComputeScheduler())
    (few,), (many,) = await embedder.encode(["zebras"], "passage"), await every.encode(["zebras"], "passage")
    assert few == dict(sorted(sorted(many.items(), key=lambda item: -item[1])[:7]))
    assert len(many) == 1024


@pytest.mark.integration
async def test_weights_of_0_and_less_are_left_out(tmp_path: Path) -> None:
    embedder = StSparseEmbedder(a_static_sparse_encoder(tmp_path), "small", CPU, ComputeScheduler())
    (vector,) = await embedder.encode(["the zebra and the zebra"], "passage")
    assert list(vector) == [29145]
    assert vector[29145] == pytest.approx(29145 / 5000 - 0.4)
