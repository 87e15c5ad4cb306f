"""Settings -> arguments of vLLM's engine, without vLLM."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from rag.adapters.vllm.args import (
    CPU_DEFAULTS,
    CPU_WORKER,
    PARENT_WATCHDOG,
    engine_arguments,
    refused_argument,
    served_names,
)
from rag.config import LLMSettings
from rag.errors import SetupError
from tests.fakes.language_model.known_args import KnownArgs

STRUCTURES = {"structured_outputs_config": {"disable_any_whitespace": True, "backend": "guidance"}}
OURS = {"model": "/models/m", "worker_extension_cls": PARENT_WATCHDOG, **STRUCTURES}


def arguments(*, on_cpu: bool = False, **engine: Any) -> dict[str, Any]:
    return engine_arguments("/models/m", LLMSettings(engine=engine), on_cpu=on_cpu, known=KnownArgs)


def test_without_options_it_is_the_model_and_the_parent_watchdog() -> None:
    assert arguments() == OURS


def test_a_cpu_has_defaults_of_its_own() -> None:
    """Seeded requests kill vLLM 0.32 on a CPU when their prompts are read in parts."""
    whole = {"enable_chunked_prefill": False, "max_model_len": 8192, "max_num_batched_tokens": 8192}
    assert arguments(on_cpu=True) == {**OURS, **CPU_DEFAULTS, "worker_extension_cls": CPU_WORKER, **whole}


def test_blocks_of_the_prefix_cache_are_short_on_a_cpu_only() -> None:
    """vLLM's blocks of 128 tokens there are longer than the system prompt, so that no two questions would share one."""
    assert arguments(on_cpu=True)["block_size"] == 32
    assert arguments(on_cpu=True, block_size="128")["block_size"] == 128
    assert "block_size" not in arguments()


def test_what_the_user_set_wins() -> None:
    assert arguments(on_cpu=True, max_num_seqs="8", enforce_eager="false")["max_num_seqs"] == 8
    assert arguments(on_cpu=True, enforce_eager="False")["enforce_eager"] is False
    assert arguments(on_cpu=True, distributed_executor_backend="mp")["distributed_executor_backend"] == "mp"
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


def test_text_in_place_of_an_object_is_refused() -> None:
    with pytest.raises(SetupError, match="RAG_LLM__ENGINE__SPECULATIVE_CONFIG: must be a JSON object"):
        arguments(speculative_config="ngram")
    assert arguments(speculative_config='{"method": "ngram"}')["speculative_config"] == {"method": "ngram"}


@pytest.mark.parametrize(
    ("chosen", "made"),
    [
        ({"backend": "xgrammar"}, {"backend": "xgrammar", "disable_any_whitespace": True}),
        ({"backend": "outlines"}, {"backend": "outlines"}),
        ('{"disable_any_whitespace": false}', {"backend": "guidance", "disable_any_whitespace": False}),
        ("guidance", "guidance"),
    ],
)
def test_structures_are_compiled_in_one_way_unless_the_user_chose_another(chosen: Any, made: Any) -> None:
    """vLLM's engine compiles all requests in the way that the first one needed, whatever it chose for the others."""
    assert arguments(structured_outputs_config=chosen)["structured_outputs_config"] == made


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({"adapters": {"a": "x"}}, {"enable_lora": True, "max_loras": 1, "max_cpu_loras": 1}),
        ({"adapters": {str(n): "x" for n in range(12)}}, {"enable_lora": True, "max_loras": 8, "max_cpu_loras": 12}),
        ({"runtime_adapters": True}, {"enable_lora": True, "max_loras": 4, "max_cpu_loras": 16}),
        (
            {"adapters": {"a": "x"}, "runtime_adapters": True, "engine": {"max_loras": "2"}},
            {"enable_lora": True, "max_loras": 2, "max_cpu_loras": 17},
        ),
    ],
    ids=["one", "twelve", "at run time", "what the user set wins"],
)
def test_adapters_need_room_in_the_engine(options: dict[str, Any], made: dict[str, Any]) -> None:
    found = engine_arguments("/models/m", LLMSettings(**options), on_cpu=False, known=KnownArgs)
    assert found == {**OURS, **made}


class Checked(BaseModel):
    dtype: int = Field(1, le=3)


def test_what_vllm_refuses_names_the_option() -> None:
    with pytest.raises(ValueError, match="dtype") as refused:
        Checked(dtype=9)
    error = refused_argument(refused.value, {"DTYPE": "9"})
    assert error.message == "RAG_LLM__ENGINE__DTYPE: Input should be less than or equal to 3"


@pytest.mark.parametrize(
    ("chosen", "option"),
    [
        ({"max_model_len": 1, "dtype": "x"}, "RAG_LLM__ENGINE__DTYPE"),
        ({"seed": 1}, "RAG_LLM__ENGINE__SEED"),
        ({"seed": 1, "revision": "x"}, "RAG_LLM__ENGINE"),
    ],
    ids=["its name is in the text", "there is but one", "nobody knows"],
)
def test_an_error_of_another_kind_names_what_it_can(chosen: dict[str, Any], option: str) -> None:
    error = refused_argument(RuntimeError("no such\n  dtype"), chosen)
    assert error.message == f"{option}: RuntimeError: no such dtype"
    assert error.param == option


def test_the_parent_watchdog_exists_and_takes_no_arguments() -> None:
    import importlib

    module, _, name = PARENT_WATCHDOG.rpartition(".")
    assert hasattr(importlib.import_module(module), name)


def test_the_model_is_called_as_it_was_chosen() -> None:
    assert served_names("/models/m", LLMSettings()) == ["m"]
    assert served_names("/cache/snapshots/12ab", LLMSettings(model="org/model")) == ["org/model"]
    assert served_names("/models/m", LLMSettings(engine={"SERVED_MODEL_NAME": "null"})) == ["m"]


@pytest.mark.parametrize(
    ("value", "names"),
    [("gpt-4o", ["gpt-4o"]), ('["mine", "gpt-4o", "mine"]', ["mine", "gpt-4o"]), (["a", "b"], ["a", "b"])],
)
def test_or_as_the_user_wants_it(value: Any, names: list[str]) -> None:
    assert served_names("/models/m", LLMSettings(model="org/m", engine={"served_model_name": value})) == names


@pytest.mark.parametrize(
    ("value", "reason"),
    [("rag", "answers from documents"), ('["a", "rag:sql"]', "answers from documents"), ("sql", "name of an adapter"),
     ("7", "must be a name"), ('["a", ""]', "must be a name"), ('{"a": 1}', "must be a name")],
)  # fmt: skip
def test_names_that_cannot_be_stop_the_start(value: str, reason: str) -> None:
    settings = LLMSettings(adapters={"sql": "/x"}, engine={"served_model_name": value})
    with pytest.raises(SetupError, match=reason) as caught:
        served_names("/models/m", settings)
    assert caught.value.param == "RAG_LLM__ENGINE__SERVED_MODEL_NAME"
