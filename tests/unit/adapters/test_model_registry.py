from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from rag.adapters.sentence_transformers.model_registry import ModelRegistry
from rag.errors import DependencyUnavailable, ModelNotFound, SetupError
from tests.fakes import FakeSparseEmbedder

OPTION = "RAG_EMBEDDER__SPARSE_MODEL"


def failing(error: Exception) -> Callable[[str], FakeSparseEmbedder]:
    def load(_: str) -> FakeSparseEmbedder:
        raise error

    return load


async def test_the_configured_one_stays() -> None:
    loaded: list[str] = []

    def load(model: str) -> FakeSparseEmbedder:
        loaded.append(model)
        return FakeSparseEmbedder(model)

    models = ModelRegistry("sparse encoder", load, max_models=1)
    configured = models.preload("configured", OPTION)
    for name in ("a", "b", "c"):
        await models.named(name)
    assert await models.named("configured") is configured
    assert loaded == ["configured", "a", "b", "c"]


async def test_an_evicted_model_is_freed_although_the_service_froze_its_objects() -> None:
    freed: list[str] = []

    def load(name: str) -> Any:
        model = FakeSparseEmbedder(name)
        model.itself = model  # type: ignore[attr-defined]
        weakref.finalize(model, freed.append, name)
        return model

    models = ModelRegistry("sparse encoder", load, max_models=1)
    await models.named("a")
    gc.freeze()
    try:
        await models.named("b")
        assert freed == ["a"]
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(
    "error",
    [
        SetupError(f"{OPTION}: some/model is no sparse encoder", param=OPTION),
        OSError("no file model.safetensors for some/model"),
    ],
    ids=["not to be had", "broken"],
)
async def test_what_is_configured_and_cannot_be_loaded_is_named(error: Exception) -> None:
    with pytest.raises(SetupError, match=rf"^{OPTION}: .*some/model") as caught:
        ModelRegistry("sparse encoder", failing(error)).preload("some/model", OPTION)
    assert caught.value.param == OPTION


async def test_what_is_asked_for_and_cannot_be_loaded_is_not_found() -> None:
    error = SetupError(f"{OPTION}: there is no folder x", param=OPTION)
    with pytest.raises(ModelNotFound, match="the sparse encoder 'x' is not available: there is no folder x"):
        await ModelRegistry("sparse encoder", failing(error)).named("x")


def test_a_failure_elsewhere_stays_what_it_is() -> None:
    with pytest.raises(DependencyUnavailable):
        ModelRegistry("sparse encoder", failing(DependencyUnavailable("the disk is away"))).preload("x", OPTION)


async def test_a_model_that_is_not_allowed_is_not_looked_for() -> None:
    loaded: list[str] = []

    def load(model: str) -> FakeSparseEmbedder:
        loaded.append(model)
        return FakeSparseEmbedder(model)

    models = ModelRegistry("sparse encoder", load, allowed={"some/model"})
    models.preload("/a/configured/folder", OPTION)
    await models.named("/a/configured/folder")
    await models.named("some/model")
    messages = []
    for folder in ("/etc", "/no/such/folder"):
        with pytest.raises(ModelNotFound, match="RAG_EMBEDDER__ALLOWED_MODELS") as caught:
            await models.named(folder)
        messages.append(caught.value.message.replace(folder, "X"))
    assert messages[0] == messages[1]
    assert loaded == ["/a/configured/folder", "some/model"]
