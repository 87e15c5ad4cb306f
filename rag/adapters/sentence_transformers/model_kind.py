"""The kind of model that a folder contains, according to its files.

sentence-transformers would load it as any other kind, with random weights for missing layers
(docs/bentoml_issues.md#o1).
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from rag.types import JsonObject


def declared_kind(folder: str) -> str | None:
    """`SentenceTransformer`, `SparseEncoder`, `CrossEncoder`, ...; None: not saved by sentence-transformers."""
    if not (Path(folder) / "modules.json").is_file():
        return None
    return str(_content(Path(folder) / "config_sentence_transformers.json").get("model_type", "SentenceTransformer"))


def architectures(folder: str) -> tuple[str, ...]:
    """Names of the model's classes in transformers, such as `BertForMaskedLM`."""
    return tuple(_content(Path(folder) / "config.json").get("architectures") or ())


def other_kind(folder: str, expected: str, architecture: str) -> str:
    """The kind of model in the folder if it is not the expected one; otherwise empty.

    Args:
        expected: A kind as `declared_kind` returns it.
        architecture: How the class names of such models end in transformers, for files that declare no kind.
    """
    kind, classes = declared_kind(folder), architectures(folder)
    if kind == expected or (kind is None and any(name.endswith(architecture) for name in classes)):
        return ""
    return kind or ", ".join(classes) or "of unknown kind"


def _content(file: Path) -> JsonObject:
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(file.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}
