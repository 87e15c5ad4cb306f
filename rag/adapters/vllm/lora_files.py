"""Checks the files of a LoRA adapter; a bad one can kill the engine (docs/bentoml_issues.md#v4)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from rag.errors import InvalidRequest

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_LAYER = re.compile(r"^(?:base_model\.model\.)?(?P<layer>.+?)\.(?P<side>lora_[AB]|lora_embedding_[AB])(?:\.weight)?$")

Shapes: TypeAlias = dict[str, tuple[int, ...]]
"""The shape of each weight, by its name."""


def check_adapter(folder: Path, base: Path, max_rank: int) -> None:
    """Check that the engine can load an adapter.

    Args:
        base: Folder of the language model.
        max_rank: The largest rank that the engine is configured for.

    Raises:
        InvalidRequest: it cannot, and why.
    """
    config = _config(folder)
    rank = _rank(config)
    if rank > max_rank:
        hint = f"set RAG_LLM__ENGINE__MAX_LORA_RANK={_next_rank(rank)}"
        raise _refused(f"the adapter has rank {rank}, but the engine takes at most {max_rank}; {hint}")
    _check_shapes(_shapes([folder / WEIGHTS]), _shapes(sorted(base.glob("*.safetensors"))), max_rank)


def _config(folder: Path) -> Mapping[str, object]:
    if not folder.is_dir():
        raise _refused(f"there is no folder {folder}")
    if not (folder / CONFIG).is_file():
        raise _refused(f"the folder {folder} contains no adapter: {CONFIG} is missing")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _refused(f"{CONFIG} is not JSON") from None
    if not isinstance(config, dict) or str(config.get("peft_type", "LORA")).upper() != "LORA":
        raise _refused(f"{CONFIG} does not describe a LoRA adapter")
    if not (folder / WEIGHTS).is_file():
        raise _refused(f"the folder {folder} has no {WEIGHTS}, the only supported format")
    return config


def _rank(config: Mapping[str, object]) -> int:
    """The largest rank of its layers."""
    pattern = config.get("rank_pattern") or {}
    ranks = [config.get("r"), *(pattern.values() if isinstance(pattern, Mapping) else [pattern])]
    valid = [rank for rank in ranks if isinstance(rank, int) and rank > 0]
    if len(valid) != len(ranks):
        raise _refused(f"{CONFIG}: r must be a positive integer")
    return max(valid)


def _next_rank(rank: int) -> int:
    """The smallest rank that vLLM can be configured for and that is large enough."""
    return next((known for known in (8, 16, 32, 64, 128, 256, 320, 512) if known >= rank), 512)


def _shapes(files: Sequence[Path]) -> Shapes:
    from safetensors import SafetensorError, safe_open

    shapes: Shapes = {}
    for file in files:
        try:
            with safe_open(str(file), "np") as weights:
                shapes |= {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
        except (SafetensorError, OSError):
            raise _refused(f"{file.name} cannot be read") from None
    return shapes


def _check_shapes(adapter: Shapes, base: Shapes, max_rank: int) -> None:
    """Compare each layer with the language model's, if that has a layer of this name."""
    layers: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in adapter.items():
        if (found := _LAYER.match(name)) is not None:  # vLLM itself refuses others, such as modules_to_save
            layers.setdefault(found["layer"], {})[found["side"]] = shape
    if not layers:
        raise _refused(f"{WEIGHTS} contains no LoRA weights")
    for layer, sides in layers.items():
        if len(sides) != 2:
            raise _refused(f"{WEIGHTS} has only one of the two matrices of {layer}")
        (_, down), (_, up) = sorted(sides.items())
        if len(down) != 2 or len(up) != 2:
            continue  # mixture of experts
        if down[0] != up[1] or down[0] > max_rank:
            raise _refused(f"{layer} has weights of ranks {down[0]} and {up[1]}; the engine takes at most {max_rank}")
        _check_layer(layer, (up[0], down[1]), base)


def _check_layer(layer: str, trained: tuple[int, int], base: Shapes) -> None:
    own = base.get(f"{layer}.weight")
    if own is None or len(own) != 2:
        _check_known(layer, base)
    elif trained not in (own, own[::-1]):  # embeddings are transposed
        difference = (
            f"{layer} has {own[0]} x {own[1]} weights in this one, {trained[0]} x {trained[1]} in the adapter's"
        )
        raise _refused(f"the adapter was trained for another language model: {difference}")


def _check_known(layer: str, base: Shapes) -> None:
    """Check the number of the layer only: names may differ between a model's files, and weights may be packed."""
    number = re.search(r"\.layers\.(\d+)\.", layer)
    known = {found[1] for name in base if (found := re.search(r"\.layers\.(\d+)\.", name))}
    if number is not None and known and number[1] not in known:
        raise _refused(f"the adapter was trained for another language model: this one has no layer {number[1]}")


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(f"lora_path: {message}", param="lora_path")
