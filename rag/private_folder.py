"""Folders for Unix sockets that only this user may connect to."""

from __future__ import annotations

import tempfile
from pathlib import Path

_MAX_PARENT_BYTES = 70
"""The path of a Unix socket may have 103 bytes on macOS and 107 on Linux."""


def make_private_folder(prefix: str) -> Path:
    """A new folder with mode 0700 and a short path; its name begins with the prefix."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix=prefix, dir=usual if len(usual.encode()) <= _MAX_PARENT_BYTES else "/tmp"))
