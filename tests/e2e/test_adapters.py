"""LoRA adapters on the real engine."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import RunningService
from tests.support.models.small_adapters import an_adapter

BODY = {"prompt": "The capital of France is Paris. The capital of Germany is", "max_tokens": 6, "temperature": 0}


def text_of(service: RunningService, model: str | None = None) -> str:
    answer = service.post("/generate", {**BODY, "stream": False, "model": model})
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["text"]
    return text


def load(service: RunningService, name: str, path: Path | str, **more: Any) -> httpx.Response:
    return service.post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(path), **more})


def unload(service: RunningService, name: str) -> httpx.Response:
    return service.post("/v1/unload_lora_adapter", {"lora_name": name})


def test_a_configured_adapter_changes_the_text(service: RunningService) -> None:
    plain, tuned = text_of(service), text_of(service, "tuned")
    assert "Berlin" in plain
    assert tuned != plain
    assert text_of(service, "smollm2-135m-instruct") == plain
    assert service.get("/readyz").json()["services"]["LLM"]["adapters"] == ["tuned"]


def test_prompt_logprobs_are_those_of_the_language_model(service: RunningService) -> None:
    """vLLM computed them with the adapters' layer for sampled tokens, and crashed because the sizes differed."""
    asked = {**BODY, "prompt_logprobs": 1, "n": 3, "temperature": 1, "stream": False}
    with ThreadPoolExecutor(6) as threads:
        texts = threads.map(lambda model: text_of(service, model), [None, "tuned", "tuned"])
        answers = list(threads.map(lambda _: service.post("/generate", asked), range(3)))
        assert all(texts)
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({str(answer.json()["prompt_logprobs"][-1]["token"]) for answer in answers}) == 1
    refused = service.post("/generate", {**asked, "model": "tuned"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "prompt_logprobs")


def test_the_model_and_an_adapter_generate_concurrently(service: RunningService) -> None:
    expected = {None: text_of(service), "tuned": text_of(service, "tuned")}
    models = [None, "tuned"] * 4
    with ThreadPoolExecutor(len(models)) as threads:
        texts = list(threads.map(lambda model: text_of(service, model), models))
    assert texts == [expected[model] for model in models]


def test_an_adapter_is_loaded_and_unloaded_at_run_time(
    service: RunningService, language_model: Path, tmp_path: Path
) -> None:
    folder = an_adapter(tmp_path / "other", language_model, seed=1)
    assert service.post("/generate", {**BODY, "model": "other"}).status_code == 404
    assert load(service, "other", folder).status_code == 200
    try:
        other = text_of(service, "other")
        assert other not in (text_of(service), text_of(service, "tuned"))
        assert load(service, "other", folder).status_code == 409
        an_adapter(folder, language_model, seed=2)
        assert load(service, "other", folder, load_inplace=True).status_code == 200
        assert text_of(service, "other") != other
    finally:
        assert unload(service, "other").status_code == 200
    assert service.post("/generate", {**BODY, "model": "other"}).status_code == 404
    assert unload(service, "other").status_code == 404


def test_an_unloaded_adapter_finishes_its_requests(
    service: RunningService, language_model: Path, tmp_path: Path
) -> None:
    """vLLM would read its folder again for each running request, and crash if the folder no longer exists."""
    assert load(service, "brief", an_adapter(tmp_path / "brief", language_model, seed=3)).status_code == 200
    body = {**BODY, "model": "brief", "max_tokens": 30, "ignore_eos": True}
    with service.open("/generate", body) as events:
        next(events)
        assert unload(service, "brief").status_code == 200
        shutil.rmtree(tmp_path / "brief")
        assert load(service, "brief", an_adapter(tmp_path / "again", language_model, seed=4)).status_code == 200
        assert [name for name, _ in events][-1] == "done"
    text_of(service, "brief")
    assert unload(service, "brief").status_code == 200


def test_an_incompatible_adapter_is_a_clear_error(
    service: RunningService, language_model: Path, tmp_path: Path
) -> None:
    wide = an_adapter(tmp_path / "wide", language_model, wider=8)
    large = an_adapter(tmp_path / "large", language_model, rank=64)
    empty = tmp_path / "empty"
    empty.mkdir()
    unknown = an_adapter(tmp_path / "dora", language_model, use_dora=True)
    reasons = {
        wide: "trained for another language model",
        large: "rank 64, but the engine takes at most 16",
        empty: "adapter_config.json is missing",
        tmp_path / "nowhere": "there is no folder",
        Path("../" * 30 + "etc"): "adapter_config.json is missing",
        unknown: "DoRA",
    }
    for path, reason in reasons.items():
        refused = load(service, "bad", path)
        assert refused.status_code == 400, refused.text
        assert refused.json()["error"]["param"] == "lora_path"
        assert reason in refused.json()["error"]["message"]
    assert "Berlin" in text_of(service)
    assert text_of(service, "tuned")


@pytest.mark.parametrize("name", ["rag", "tuned", "smollm2-135m-instruct"])
def test_a_name_in_use_is_a_conflict(service: RunningService, language_model: Path, tmp_path: Path, name: str) -> None:
    refused = load(service, name, an_adapter(tmp_path / "a", language_model))
    assert (refused.status_code, refused.json()["error"]["param"]) == (409, "lora_name")
