"""Encoders that compute in bfloat16, which takes about 0.6 of the time on a CPU that has instructions for it."""

from __future__ import annotations

import copy
import logging
from contextlib import AbstractContextManager
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


def bfloat16_copy(model: Any, name: str, *, least_cosine: float = _LEAST_COSINE) -> Any | None:
    """A copy that encodes in bfloat16, within the context `computing`. The tokenizer is not copied.

    Args:
        model: A `SentenceTransformer` on the CPU.
        name: Its name, for the log.
        least_cosine: The least cosine of vectors in bfloat16 with those in float32.

    Returns:
        None: the cosine is less for some sample text, or the model is not in float32 or cannot be copied.
    """
    import torch

    if any(parameter.dtype != torch.float32 for parameter in model.parameters()):
        return None
    try:
        copied = _converted(model)
        with computing():
            found = _vectors(copied)
    except Exception:  # the code of a model may do anything
        _log.warning("%s: documents are encoded in float32, because bfloat16 failed", name, exc_info=True)
        return None
    cosine = float(np.sum(found * _vectors(model), axis=1).min())
    if not cosine >= least_cosine:
        _log.warning("%s: documents are encoded in float32: in bfloat16, the cosine with it is %.5f", name, cosine)
        return None
    _log.info("%s: documents are encoded in bfloat16; cosine with float32: at least %.5f", name, cosine)
    return copied


def _converted(model: Any) -> Any:
    """A copy with the weights of its matrix products in bfloat16, and the rest in float32, which is more accurate."""
    import torch

    shared = [model.tokenizer, *(part for part in model.modules() if isinstance(part, torch.nn.Embedding))]
    copied = copy.deepcopy(model, {id(part): part for part in shared})
    for part in copied.modules():
        if isinstance(part, torch.nn.Linear):
            part.to(torch.bfloat16)
    return copied


def _vectors(model: Any) -> Vectors:
    vectors: Vectors = model.encode(_SAMPLES, normalize_embeddings=True, show_progress_bar=False)
    return vectors.astype(np.float32)


def computing() -> AbstractContextManager[Any]:
    """The context in which the result of `bfloat16_copy` encodes. Valid for the current thread."""
    import torch

    return torch.autocast("cpu", dtype=torch.bfloat16)
