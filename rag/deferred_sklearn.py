"""Imports libraries without scikit-learn, which they import for functions that this project does not call.

Its import takes more than a second and 85 MiB (docs/bentoml_issues.md#o9).
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

_NAME = "sklearn.metrics"


class _DeferredMetrics(ModuleType):
    """A module whose functions import the real one when they are called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **options: Any) -> Any:
            if sys.modules.get(_NAME) is self:
                del sys.modules[_NAME]
            return getattr(importlib.import_module(_NAME), name)(*args, **options)

        return call


@contextlib.contextmanager
def sklearn_deferred() -> Iterator[None]:
    """A context in which `from sklearn.metrics import f` does not import scikit-learn: `f` does when it is called."""
    deferred = defer_sklearn()
    try:
        yield
    finally:
        if deferred is not None and sys.modules.get(_NAME) is deferred:
            del sys.modules[_NAME]


def defer_sklearn() -> ModuleType | None:
    """Do the same for all imports from now on. Returns the module that stands for `sklearn.metrics`, or None if
    scikit-learn has been imported already.
    """
    if _NAME in sys.modules:
        return None
    deferred = sys.modules[_NAME] = _DeferredMetrics(_NAME)
    return deferred
