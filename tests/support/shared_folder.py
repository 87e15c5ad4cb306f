"""A folder that all processes of one test run share, also those of xdist."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

_VARIABLE = "TESTS_SHARED_FOLDER"
"""The processes of xdist inherit it from the one that starts them."""


def make_shared_folder(at_the_end: Callable[[Callable[[], None]], object]) -> None:
    """Makes the folder, unless this process has inherited one. `at_the_end` takes what removes it."""
    if _VARIABLE not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="rag-tests-", ignore_cleanup_errors=True)
        os.environ[_VARIABLE] = folder.name
        at_the_end(folder.cleanup)


def shared_folder() -> Path:
    return Path(os.environ[_VARIABLE])
