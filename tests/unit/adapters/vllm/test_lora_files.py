"""What is wrong with an adapter is said before the engine sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from rag.adapters.vllm.lora_files import check_adapter
from rag.errors import InvalidRequest
from tests.support.models.small_adapters import an_adapter

SHAPES = {"model.layers.10.mlp.down_proj": (6, 12), "model.layers.20.self_attn.o_proj": (6, 8)}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A language model of two layers, in two files."""
    folder = tmp_path / "base"
    folder.mkdir()
    weights = {f"{name}.weight": np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    weights["model.embed_tokens.weight"] = np.zeros((9, 6), np.float32)
    save_file(weights, str(folder / "model.safetensors"))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "adapter"


def refusal(folder: Path, base: Path, max_rank: int = 16) -> str:
    with pytest.raises(InvalidRequest) as refused:
        check_adapter(folder, base, max_rank)
    assert refused.value.param == "lora_path"
    return refused.value.message


def rewritten(folder: Path, **weights: tuple[int, ...]) -> None:
    arrays = {name.replace("__", "."): np.zeros(shape, np.float32) for name, shape in weights.items()}
    save_file(arrays, str(folder / "adapter_model.safetensors"))


@pytest.mark.parametrize("rank", [1, 8, 16])
def test_one_that_fits_is_fine(folder: Path, base: Path, rank: int) -> None:
    check_adapter(an_adapter(folder, base, rank=rank), base, 16)


def test_a_rank_that_is_too_large_names_the_option(folder: Path, base: Path) -> None:
    an_adapter(folder, base, rank=40)
    assert "rank 40, but the engine takes at most 16; set RAG_LLM__ENGINE__MAX_LORA_RANK=64" in refusal(folder, base)
    check_adapter(folder, base, 64)


def test_a_rank_of_some_layers_counts(folder: Path, base: Path) -> None:
    an_adapter(folder, base, rank_pattern={"down_proj": 32})
    assert "rank 32" in refusal(folder, base)


def test_weights_of_another_rank_than_they_say(folder: Path, base: Path) -> None:
    an_adapter(folder, base, rank=32, r=8)
    assert "ranks 32 and 32" in refusal(folder, base)


def test_an_adapter_of_another_model(folder: Path, base: Path) -> None:
    an_adapter(folder, base, wider=2)
    assert "down_proj has 6 x 12 weights in this one, 8 x 14 in the adapter's" in refusal(folder, base)


def test_layers_that_the_model_does_not_have(folder: Path, base: Path) -> None:
    an_adapter(folder, base)
    name = "base_model.model.model.layers.99.mlp.down_proj"
    rewritten(folder, **{f"{name}.lora_A.weight": (8, 12), f"{name}.lora_B.weight": (6, 8)})
    assert "this one has no layer 99" in refusal(folder, base)


def test_layers_under_other_names_are_left_to_the_engine(folder: Path, base: Path) -> None:
    an_adapter(folder, base)
    name = "base_model.model.model.layers.10.mlp.fused_proj"
    rewritten(folder, **{f"{name}.lora_A.weight": (8, 77), f"{name}.lora_B.weight": (6, 8)})
    check_adapter(folder, base, 16)


def test_one_half_alone(folder: Path, base: Path) -> None:
    an_adapter(folder, base)
    rewritten(folder, **{"base_model.model.model.layers.10.mlp.down_proj.lora_A.weight": (8, 12)})
    assert "only one of the two matrices" in refusal(folder, base)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "is not JSON"), ("[]", "not describe a LoRA"), ({"peft_type": "IA3", "r": 8}, "not describe a LoRA"),
        ({"peft_type": "LORA"}, "r must be a positive"), ({"r": "8"}, "r must be a positive"),
        ({"r": 0}, "r must be a positive"),
    ],
    ids=str,
)  # fmt: skip
def test_a_config_without_sense(folder: Path, base: Path, config: Any, reason: str) -> None:
    an_adapter(folder, base)
    (folder / "adapter_config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    assert reason in refusal(folder, base)


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_without_one_of_the_files(folder: Path, base: Path, missing: str) -> None:
    (an_adapter(folder, base) / missing).unlink()
    assert missing in refusal(folder, base)


def test_a_folder_that_is_not_there(folder: Path, base: Path) -> None:
    assert "there is no folder" in refusal(folder, base)


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"not tensors"])
def test_weights_that_are_none(folder: Path, base: Path, content: bytes) -> None:
    (an_adapter(folder, base) / "adapter_model.safetensors").write_bytes(content)
    assert "cannot be read" in refusal(folder, base)
