"""The names and values of the installed vLLM against ours: a new version cannot add any unnoticed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rag.config import LLMSettings
from rag.errors import SetupError
from rag.http.bodies.sampling_fields import RepetitionDetection, StructuredOutputs
from rag.http.fields.removed_parameters import REFUSED, REMOVED
from rag.http.native.generate_wire import GenerateRequest
from tests.integration.vllm.conftest import VllmProcess
from tests.support.models.small_adapters import an_adapter

pytestmark = pytest.mark.integration

# Where vLLM or pydantic writes the message, only the name of the option is checked.
REFUSED_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"engine": {"max_model_length": "10"}}, "did you mean RAG_LLM__ENGINE__MAX_MODEL_LEN?"),
    ({"engine": {"dtype": "foo"}}, "RAG_LLM__ENGINE__DTYPE: "),
    ({"engine": {"tensor_parallel_size": "two"}}, "RAG_LLM__ENGINE__TENSOR_PARALLEL_SIZE: "),
    ({"engine": {"compilation_config": "{bad"}}, "RAG_LLM__ENGINE__COMPILATION_CONFIG: "),
    ({"engine": {"speculative_config": "ngram"}}, "RAG_LLM__ENGINE__SPECULATIVE_CONFIG: "),
    ({"engine": {"max_model_len": "9000000"}}, "RAG_LLM__ENGINE__MAX_MODEL_LEN: "),
    ({"engine": {"quantization": "awk"}}, "RAG_LLM__ENGINE__QUANTIZATION: "),
    ({"engine": {"gpu_memory_utilization": "3"}}, "RAG_LLM__ENGINE__GPU_MEMORY_UTILIZATION: "),
    ({"tool_parser": "hermez"}, "RAG_LLM__TOOL_PARSER: vLLM has no tool parser 'hermez'; did you mean hermes?"),
]  # fmt: skip
ACCEPTED_SETTINGS: list[dict[str, Any]] = [
    {"engine": {"MAX_MODEL_LEN": "512", "dtype": "bfloat16"}, "tool_parser": "hermes"},
    {"adapters": {"a": "/x"}, "runtime_adapters": True},
    {"engine": {"structured_outputs_config": '{"disable_any_whitespace": true}'}},
]


def vllm_parameters(folder: str, settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from vllm import SamplingParams
    from vllm.sampling_params import RepetitionDetectionParams, StructuredOutputsParams

    from rag.adapters.vllm.start import checked_config

    def refusal(options: Mapping[str, Any]) -> str | None:
        try:
            checked_config(folder, LLMSettings(**options))
        except SetupError as error:
            return error.message
        return None

    def names(kind: Any) -> list[str]:
        return [field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")]

    return {
        "sampling": [name for name in SamplingParams.__struct_fields__ if not name.startswith("_")],
        "structures": names(StructuredOutputsParams),
        "repetition": names(RepetitionDetectionParams),
        "refusals": [refusal(options) for options in settings],
    }


@pytest.fixture(scope="module")
def vllm(vllm_process: VllmProcess, language_model: Path) -> Mapping[str, Any]:
    settings = [*(options for options, _ in REFUSED_SETTINGS), *ACCEPTED_SETTINGS]
    parameters: Mapping[str, Any] = vllm_process.run(vllm_parameters, str(language_model), settings)
    return parameters


def test_each_sampling_parameter_is_accepted_or_refused_by_name(vllm: Mapping[str, Any]) -> None:
    accepted = set(GenerateRequest.model_fields) - {"model", "prompt", "tokens", "stream"}
    assert accepted | set(REFUSED) == set(vllm["sampling"])
    assert not set(REMOVED) & set(vllm["sampling"])


def test_each_structured_output_and_repetition_option_is_accepted(vllm: Mapping[str, Any]) -> None:
    names = {field.alias or name for name, field in StructuredOutputs.model_fields.items()}
    assert names == set(vllm["structures"])
    assert set(RepetitionDetection.model_fields) == set(vllm["repetition"])


def test_settings_that_vllm_refuses_stop_the_start_with_one_line(vllm: Mapping[str, Any]) -> None:
    for (options, reason), message in zip(REFUSED_SETTINGS, vllm["refusals"], strict=False):
        assert message is not None, options
        assert reason in message
        assert "\n" not in message


def test_settings_that_vllm_accepts_do_not_stop_the_start(vllm: Mapping[str, Any]) -> None:
    assert vllm["refusals"][len(REFUSED_SETTINGS) :] == [None] * len(ACCEPTED_SETTINGS)


def prepare_llm(environment: Mapping[str, str]) -> tuple[int, str]:
    """Run what `bentoml serve` runs before the LLM service; return the exit code and the last line."""
    from rag.cli.prepare import prepare

    done = CliRunner().invoke(prepare, ["--quiet", "--only", "llm"], env=environment)
    return done.exit_code, done.output.strip().splitlines()[-1]


def test_a_misspelt_option_stops_the_start(vllm_process: VllmProcess, language_model: Path) -> None:
    options = {"RAG_DATA_DIR": data_dir(language_model), "RAG_LLM__ENGINE__MAX_MODEL_LENN": "512"}
    code, line = vllm_process.run(prepare_llm, options)
    assert code == 1
    assert line.endswith("did you mean RAG_LLM__ENGINE__MAX_MODEL_LEN?")


def test_an_adapter_that_does_not_fit_stops_the_start(
    vllm_process: VllmProcess, language_model: Path, tmp_path: Path
) -> None:
    an_adapter(tmp_path / "wide", language_model, wider=8)
    adapters = json.dumps({"wide": str(tmp_path / "wide")})
    code, line = vllm_process.run(
        prepare_llm, {"RAG_DATA_DIR": data_dir(language_model), "RAG_LLM__ADAPTERS": adapters}
    )
    assert code == 1
    assert line.startswith("RAG_LLM__ADAPTERS: wide: ")


def data_dir(language_model: Path) -> str:
    return str(language_model.parents[1])
