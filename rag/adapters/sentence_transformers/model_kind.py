"""What kind of model a folder says it holds.

sentence-transformers loads any kind as any other: what is missing, such as a classifier, it makes up with random
weights, and goes on.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any


def declared_kind(folder: str) -> str | None:
    """`SentenceTransformer`, `SparseEncoder`, `CrossEncoder`, ...; None: it was not saved by sentence-transformers."""
    if not (Path(folder) / "modules.json").is_file():
        return None
    return str(_content(Path(folder) / "config_sentence_transformers.json").get("model_type", "SentenceTransformer"))


def architectures(folder: str) -> tuple[str, ...]:
    """Names of transformers' classes, such as `BertForMaskedLM`."""
    return tuple(_content(Path(folder) / "config.json").get("architectures") or ())


def _content(file: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(file.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}
