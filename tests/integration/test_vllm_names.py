"""The names and values that the installed vLLM knows, against ours: a new vLLM cannot bring any silently."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rag.http.native.generate_wire import GenerateRequest
from rag.http.removed_parameters import REFUSED, REMOVED
from rag.http.sampling_fields import RepetitionDetection, StructuredOutputs
from tests.e2e.running import ROOT
from tests.support.small_adapters import an_adapter

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

ASK = """
import dataclasses, json, sys
from vllm import SamplingParams
from vllm.sampling_params import RepetitionDetectionParams, StructuredOutputsParams
from rag.adapters.vllm.start import checked_config
from rag.config import LLMSettings
from rag.errors import SetupError

def refusal(options):
    try:
        checked_config(sys.argv[1], LLMSettings(**options))
    except SetupError as error:
        return error.message
    return None

def names(kind):
    return [field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")]

print(json.dumps({
    "sampling": [name for name in SamplingParams.__struct_fields__ if not name.startswith("_")],
    "structures": names(StructuredOutputsParams),
    "repetition": names(RepetitionDetectionParams),
    "refusals": [refusal(options) for options in json.loads(sys.argv[2])],
}))
"""
REFUSED_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"engine": {"max_model_length": "10"}}, "did you mean RAG_LLM__ENGINE__MAX_MODEL_LEN?"),
    ({"engine": {"dtype": "foo"}}, "RAG_LLM__ENGINE__DTYPE: Input should be 'auto', "),
    ({"engine": {"tensor_parallel_size": "two"}}, "RAG_LLM__ENGINE__TENSOR_PARALLEL_SIZE: Input should be a"),
    ({"engine": {"compilation_config": "{bad"}}, "RAG_LLM__ENGINE__COMPILATION_CONFIG: Input should be a dictionary"),
    ({"engine": {"speculative_config": "ngram"}}, "RAG_LLM__ENGINE__SPECULATIVE_CONFIG: must be a JSON object"),
    ({"engine": {"max_model_len": "9000000"}}, "RAG_LLM__ENGINE__MAX_MODEL_LEN: User-specified max_model_len"),
    ({"engine": {"quantization": "awk"}}, "RAG_LLM__ENGINE__QUANTIZATION: Unknown quantization method: awk"),
    ({"engine": {"gpu_memory_utilization": "3"}}, "RAG_LLM__ENGINE__GPU_MEMORY_UTILIZATION: Input should be less"),
    ({"tool_parser": "hermez"}, "RAG_LLM__TOOL_PARSER: vLLM has no tool parser 'hermez'; did you mean hermes?"),
]  # fmt: skip
TAKEN_SETTINGS: list[dict[str, Any]] = [
    {"engine": {"MAX_MODEL_LEN": "512", "dtype": "bfloat16"}, "tool_parser": "hermes"},
    {"adapters": {"a": "/x"}, "runtime_adapters": True},
    {"engine": {"structured_outputs_config": '{"disable_any_whitespace": true}'}},
]


@pytest.fixture(scope="module")
def vllm(language_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What vLLM says, in a process of its own: to import it takes ten seconds and changes the process."""
    settings = [*(options for options, _ in REFUSED_SETTINGS), *TAKEN_SETTINGS]
    command = [sys.executable, "-c", ASK, str(language_model), json.dumps(settings)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VLLM_LOGGING_LEVEL": "ERROR"}
    folder = tmp_path_factory.mktemp("vllm")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_each_sampling_parameter_is_taken_or_refused_by_name(vllm: Mapping[str, Any]) -> None:
    taken = set(GenerateRequest.model_fields) - {"model", "prompt", "tokens", "stream"}
    assert taken | set(REFUSED) == set(vllm["sampling"])
    assert not set(REMOVED) & set(vllm["sampling"])


def test_so_is_each_part_of_the_others(vllm: Mapping[str, Any]) -> None:
    names = {field.alias or name for name, field in StructuredOutputs.model_fields.items()}
    assert names == set(vllm["structures"])
    assert set(RepetitionDetection.model_fields) == set(vllm["repetition"])


def test_what_vllm_refuses_stops_the_start_with_one_line(vllm: Mapping[str, Any]) -> None:
    for (options, reason), said in zip(REFUSED_SETTINGS, vllm["refusals"], strict=False):
        assert said is not None, options
        assert reason in said
        assert "\n" not in said


def test_what_vllm_takes_does_not(vllm: Mapping[str, Any]) -> None:
    assert vllm["refusals"][len(REFUSED_SETTINGS) :] == [None] * len(TAKEN_SETTINGS)


def prepared(**environment: str) -> subprocess.CompletedProcess[str]:
    """What `bentoml serve` runs before the process of the LLM service."""
    command = [sys.executable, "-m", "rag", "prepare", "--quiet", "--only", "llm"]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_a_misspelt_option_stops_the_start() -> None:
    done = prepared(RAG_LLM__ENGINE__MAX_MODEL_LENN="512")
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()
    assert said[-1].endswith("did you mean RAG_LLM__ENGINE__MAX_MODEL_LEN?")


def test_an_adapter_that_does_not_fit_stops_the_start(language_model: Path, tmp_path: Path) -> None:
    an_adapter(tmp_path / "wide", language_model, wider=8)
    done = prepared(RAG_LLM__ADAPTERS=json.dumps({"wide": str(tmp_path / "wide")}))
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith("RAG_LLM__ADAPTERS: wide: the adapter was trained for another language model")
