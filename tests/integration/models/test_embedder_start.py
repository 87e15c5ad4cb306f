"""Start of the Embedder: the models its settings configure, and the errors of invalid settings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from rag.bootstrap.embedder import embedder_api
from rag.bootstrap.loaded_settings import settings
from rag.cli.prepare import prepare
from rag.errors import SetupError, Starting
from rag.http.native.embedder_api import EmbedderApi
from rag.http.native.internal.embedder_wire import EncodeSparseRequest, RerankRequest
from tests.support.models.small_models import (
    a_cross_encoder,
    a_static_sparse_encoder,
    an_inference_free_splade,
    embedded_encoder,
)

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RAG_EMBEDDER__DEVICE", "cpu")
    settings.cache_clear()
    yield
    settings.cache_clear()


async def start_embedder() -> EmbedderApi:
    api = embedder_api()
    api.models.start()
    async with asyncio.timeout(240):
        while True:
            try:
                api.models.get()
                return api
            except Starting:
                await asyncio.sleep(0.02)


async def test_all_configured_models_are_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sparse, cross_encoder = a_static_sparse_encoder(tmp_path / "sparse"), a_cross_encoder(tmp_path / "cross")
    monkeypatch.setenv("RAG_EMBEDDER__SPARSE_MODEL", sparse)
    monkeypatch.setenv("RAG_RERANK__KIND", "cross_encoder")
    monkeypatch.setenv("RAG_RERANK__MODEL", cross_encoder)
    api = await start_embedder()
    assert (await api.ready())["sparse_model"] == sparse
    answer = await api.encode_sparse(EncodeSparseRequest.parse({"texts": ["zebra"]}))
    assert b'"indices":[29145]' in bytes(answer.body)
    for kind, name in (("late_interaction", "all-MiniLM-L6-v2"), ("cross_encoder", cross_encoder)):
        request = RerankRequest.parse({"query": "zebra", "texts": ["zebras eat", "rows"], "kind": kind})
        assert f'"model":"{kind}:{name}"'.encode() in bytes((await api.rerank(request)).body)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"RAG_EMBEDDER__SPARSE_MODEL": "MINI"}, "RAG_EMBEDDER__SPARSE_MODEL: .*MINI is not a sparse encoder"),
        ({"RAG_EMBEDDER__SPARSE_MODEL": "./nope"}, r"RAG_EMBEDDER__SPARSE_MODEL: there is no folder \./nope"),
        ({"RAG_RERANK__KIND": "cross_encoder", "RAG_RERANK__MODEL": "MINI"}, "RAG_RERANK__MODEL: .*not a cross-enc"),
        ({"RAG_RERANK__KIND": "cross_encoder", "RAG_RERANK__MODEL": "EMPTY"}, "RAG_RERANK__MODEL: .*EMPTY.*be loaded"),
        ({"RAG_RERANK__KIND": "cross_encoder"}, "RAG_RERANK__MODEL: is not set"),
    ],
)
async def test_an_invalid_model_setting_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    empty = tmp_path / "EMPTY"
    empty.mkdir()
    (empty / "config.json").write_text('{"architectures": ["BertForSequenceClassification"], "model_type": "bert"}')
    (tmp_path / "MINI").symlink_to(embedded_encoder())
    monkeypatch.chdir(tmp_path)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=message):
        await start_embedder()


def test_prepare_finds_all_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAG_EMBEDDER__SPARSE_MODEL", an_inference_free_splade(tmp_path))
    monkeypatch.setenv("RAG_RERANK__KIND", "cross_encoder")
    monkeypatch.setenv("RAG_RERANK__MODEL", a_cross_encoder(tmp_path / "cross"))
    done = CliRunner().invoke(prepare, ["--only", "encoder"])
    assert done.exit_code == 0, done.output
    assert [line.split(" in ")[0].split()[1] for line in done.output.splitlines()] == [
        "encoder",
        "sparse",
        "cross-encoder",
    ]
    monkeypatch.setenv("RAG_EMBEDDER__SPARSE_MODEL", "./nope")
    done = CliRunner().invoke(prepare, ["--only", "encoder"])
    assert done.exit_code != 0
    assert "RAG_EMBEDDER__SPARSE_MODEL: there is no folder ./nope" in done.output
