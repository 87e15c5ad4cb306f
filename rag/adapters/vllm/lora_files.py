"""A LoRA adapter's folder, looked at before the engine sees it: an engine that meets a bad one may not survive it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.errors import InvalidRequest

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_LAYER = re.compile(r"^(?:base_model\.model\.)?(?P<layer>.+?)\.(?P<side>lora_[AB]|lora_embedding_[AB])(?:\.weight)?$")

Shapes = dict[str, tuple[int, ...]]
"""Of weights, by their names."""


def check_adapter(folder: Path, base: Path, max_rank: int) -> None:
    """Args:
        base: Folder of the language model.
        max_rank: That the engine has room for.

    Raises:
        InvalidRequest: what is wrong with it.
    """
    config = _config(folder)
    rank = _rank(config)
    if rank > max_rank:
        hint = f"RAG_LLM__ENGINE__MAX_LORA_RANK={_next_rank(rank)} makes room for it"
        raise _refused(f"the adapter has rank {rank}, and the engine takes up to {max_rank}; {hint}")
    _check_shapes(_shapes([folder / WEIGHTS]), _shapes(sorted(base.glob("*.safetensors"))), max_rank)


def _config(folder: Path) -> Mapping[str, Any]:
    if not folder.is_dir():
        raise _refused(f"there is no folder {folder}")
    if not (folder / CONFIG).is_file():
        raise _refused(f"the folder {folder} holds no adapter: {CONFIG} is missing")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _refused(f"{CONFIG} is not JSON") from None
    if not isinstance(config, dict) or str(config.get("peft_type", "LORA")).upper() != "LORA":
        raise _refused(f"{CONFIG} describes no LoRA adapter")
    if not (folder / WEIGHTS).is_file():
        raise _refused(f"the folder {folder} has no {WEIGHTS}; other kinds of files are not read")
    return config


def _rank(config: Mapping[str, Any]) -> int:
    """The largest of its layers."""
    ranks = [config.get("r"), *dict(config.get("rank_pattern") or {}).values()]
    if not all(isinstance(rank, int) and rank > 0 for rank in ranks):
        raise _refused(f"{CONFIG}: r is no rank")
    return max(rank for rank in ranks if isinstance(rank, int))


def _next_rank(rank: int) -> int:
    """vLLM takes these ranks alone."""
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
    """Each layer against the language model's own, as far as that has it under this name, unpacked."""
    layers: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in adapter.items():
        if (found := _LAYER.match(name)) is not None:  # modules_to_save, and the like: vLLM has its own word on these
            layers.setdefault(found["layer"], {})[found["side"]] = shape
    if not layers:
        raise _refused(f"{WEIGHTS} holds no LoRA weights")
    for layer, sides in layers.items():
        if len(sides) != 2:
            raise _refused(f"{WEIGHTS} has one half alone of {layer}")
        (_, down), (_, up) = sorted(sides.items())
        if len(down) != 2 or len(up) != 2:
            continue  # of experts
        if down[0] != up[1] or down[0] > max_rank:
            raise _refused(f"{layer} has weights of ranks {down[0]} and {up[1]}; the engine takes up to {max_rank}")
        _check_layer(layer, (up[0], down[1]), base)


def _check_layer(layer: str, trained: tuple[int, int], base: Shapes) -> None:
    own = base.get(f"{layer}.weight")
    if own is None or len(own) != 2:
        _check_known(layer, base)
    elif trained not in (own, own[::-1]):  # embeddings are turned
        told = f"{layer} has {own[0]} x {own[1]} weights in this one, {trained[0]} x {trained[1]} in the adapter's"
        raise _refused(f"the adapter is of another language model: {told}")


def _check_known(layer: str, base: Shapes) -> None:
    """Names differ between a model's files and what was trained, and weights may be packed; numbers of layers do not
    differ."""
    number = re.search(r"\.layers\.(\d+)\.", layer)
    known = {found[1] for name in base if (found := re.search(r"\.layers\.(\d+)\.", name))}
    if number is not None and known and number[1] not in known:
        raise _refused(f"the adapter is of another language model: this one has no layer {number[1]}")


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(f"lora_path: {message}", param="lora_path")
