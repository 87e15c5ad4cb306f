"""Small LoRA adapters for real language models, with random weights that are large enough to change the text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

LAYERS = ("model.layers.10.mlp.down_proj", "model.layers.20.self_attn.o_proj")


def an_adapter(
    folder: Path,
    base: Path,
    *,
    rank: int = 8,
    seed: int = 0,
    layers: Sequence[str] = LAYERS,
    wider: int = 0,
    **more: Any,
) -> Path:
    """Writes an adapter folder as peft does.

    Args:
        base: Folder of the language model.
        wider: Added to the sizes of the layers, so that they do not fit the language model.
        more: Fields of adapter_config.json that replace the defaults.
    """
    random = np.random.default_rng(seed)
    weights: dict[str, np.ndarray[Any, Any]] = {}
    for layer in layers:
        outside, inside = _shape(base, f"{layer}.weight")
        name = f"base_model.model.{layer}"
        weights[f"{name}.lora_A.weight"] = random.normal(size=(rank, inside + wider)).astype(np.float32)
        weights[f"{name}.lora_B.weight"] = random.normal(size=(outside + wider, rank)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    modules = sorted({layer.rsplit(".", 1)[-1] for layer in layers})
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank, "target_modules": modules}
    (folder / "adapter_config.json").write_text(json.dumps({**config, **more}))
    save_file(weights, str(folder / "adapter_model.safetensors"))
    return folder


def _shape(base: Path, name: str) -> tuple[int, int]:
    with safe_open(str(next(base.glob("*.safetensors"))), "np") as model:
        outside, inside = model.get_slice(name).get_shape()
    return outside, inside
