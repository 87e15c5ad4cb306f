"""Settings -> arguments of vLLM's engine, without vLLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from rag.adapters.engine_args import CPU_DEFAULTS, LEASH, engine_arguments
from rag.config import LLMSettings
from rag.errors import SetupError


@dataclass
class KnownArgs:
    """In place of AsyncEngineArgs."""

    model: str = ""
    worker_extension_cls: str = ""
    enforce_eager: bool = False
    max_num_seqs: int = 256
    max_model_len: int | None = None
    dtype: str = "auto"
    revision: str | None = None
    compilation_config: Any = None


def arguments(*, on_cpu: bool = False, **engine: Any) -> dict[str, Any]:
    return engine_arguments("/models/m", LLMSettings(engine=engine), on_cpu=on_cpu, known=KnownArgs)


def test_without_options_it_is_the_model_and_the_leash() -> None:
    assert arguments() == {"model": "/models/m", "worker_extension_cls": LEASH}


def test_a_cpu_has_defaults_of_its_own() -> None:
    """Seeded requests kill vLLM 0.32 on a CPU when their prompts are read in parts."""
    whole = {"enable_chunked_prefill": False, "max_model_len": 8192, "max_num_batched_tokens": 8192}
    assert arguments(on_cpu=True) == {"model": "/models/m", "worker_extension_cls": LEASH, **CPU_DEFAULTS, **whole}


def test_what_the_user_set_wins() -> None:
    assert arguments(on_cpu=True, max_num_seqs="8", enforce_eager="false")["max_num_seqs"] == 8
    assert arguments(on_cpu=True, enforce_eager="False")["enforce_eager"] is False
    assert arguments(model="other")["model"] == "other"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4096", 4096), ("0.5", 0.5), ("true", True), ("True", True), ("FALSE", False), ("null", None),
        ("None", "None"),
        ("bfloat16", "bfloat16"), ('{"level": 3}', {"level": 3}), ("[1, 2]", [1, 2]), ("", ""), ("{bad", "{bad"),
        ("org/model", "org/model"),
    ],
)  # fmt: skip
def test_values_mean_what_json_says_and_the_rest_is_text(text: str, value: object) -> None:
    assert arguments(dtype=text)["dtype"] == value


def test_values_that_are_no_text_stay() -> None:
    assert arguments(compilation_config={"level": "3"})["compilation_config"] == {"level": "3"}


def test_names_have_no_case() -> None:
    assert arguments(MAX_MODEL_LEN="10")["max_model_len"] == 10


def test_a_name_that_vllm_does_not_know_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        SetupError, match=r"RAG_LLM__ENGINE__MAX_MODEL_LENGTH .*did you mean RAG_LLM__ENGINE__MAX_MODEL_LEN\?"
    ):
        arguments(max_model_length="10")


def test_a_name_that_is_like_none_is_refused_without_a_guess() -> None:
    with pytest.raises(SetupError, match=r"is not an engine argument of this vLLM$"):
        arguments(xyzzy="10")


def test_the_leash_exists_and_asks_for_nothing() -> None:
    import importlib

    module, _, name = LEASH.rpartition(".")
    assert hasattr(importlib.import_module(module), name)
