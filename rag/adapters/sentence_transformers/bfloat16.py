"""Encoders that compute in bfloat16, which takes about 0.6 of the time on a CPU that has instructions for it."""

from __future__ import annotations

import copy
import logging
from typing import Any

import numpy as np

from rag.ports import Vectors

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
_LEAST_COSINE = 0.9999
_SAMPLES = [
    "What is a vector database?",
    "The owl turns its head by 270 degrees, and the gull drinks salt water. " * 8,
    "def search(query: str, limit: int = 10) -> list[Hit]:\n    return index.search(query)[:limit]",
    "| year | revenue | margin |\n| 2023 | 1,204.5 | 12 % |\n| 2024 | 1,377.0 | 14 % |\n" * 4,
    "Ein deutscher Satz, une phrase en français, русский текст, 日本語のテキスト",
]
"""Texts of several kinds and lengths, whose vectors are compared."""
_log = logging.getLogger("rag.embedder")


def has_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16. Without them it is slower than float32."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in _INSTRUCTIONS)


def in_bfloat16(model: Any, name: str, *, least_cosine: float = _LEAST_COSINE) -> Any:
    """A copy that computes in bfloat16, or `model` itself.

    Args:
        model: A `SentenceTransformer` on the CPU that no other thread uses yet.
        name: Its name, for the log.
        least_cosine: The least cosine of vectors in bfloat16 with those in float32. If some sample text has a lower
            one, `model` is returned; so is a model that is not in float32, has no matrix products, or cannot be copied.
    """
    import torch

    linear = any(isinstance(part, torch.nn.Linear) for part in model.modules())
    if not linear or any(parameter.dtype != torch.float32 for parameter in model.parameters()):
        return model
    try:
        copied = _converted(model)
        found = _vectors(copied)
    except Exception:  # the code of a model may do anything
        _log.warning("%s: texts are encoded in float32, because bfloat16 failed", name, exc_info=True)
        return model
    cosine = float(np.sum(found * _vectors(model), axis=1).min())
    if not cosine >= least_cosine:
        _log.warning("%s: texts are encoded in float32: in bfloat16, the cosine with it is %.5f", name, cosine)
        return model
    _log.info("%s: texts are encoded in bfloat16; cosine with float32: at least %.5f", name, cosine)
    return copied


def _converted(model: Any) -> Any:
    """A copy with the weights of its matrix products in bfloat16, and the rest in float32, which is more accurate.

    The tokenizer and the embeddings of tokens are shared.
    """
    import torch

    shared = [model.tokenizer, *(part for part in model.modules() if isinstance(part, torch.nn.Embedding))]
    copied = copy.deepcopy(model, {id(part): part for part in shared})
    for part in copied.modules():
        if isinstance(part, torch.nn.Linear):
            part.to(torch.bfloat16)
    forward = copied.forward

    def forward_in_bfloat16(*args: Any, **options: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return forward(*args, **options)

    copied.forward = forward_in_bfloat16
    return copied


def _vectors(model: Any) -> Vectors:
    vectors: Vectors = model.encode(_SAMPLES, normalize_embeddings=True, show_progress_bar=False)
    return vectors.astype(np.float32)
