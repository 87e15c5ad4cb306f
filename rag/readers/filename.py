"""The names under which documents are known; never paths on disk."""

from __future__ import annotations

import re
import unicodedata

from rag.errors import InvalidRequest

MAX_FILENAME_CHARS = 512
_DRIVE = re.compile(r"[A-Za-z]:/")


def normalize_filename(filename: str) -> str:
    """The name with forward slashes, in Unicode's NFC, without `.` and empty folders.

    Raises:
        InvalidRequest: empty, absolute, climbing with `..`, too long, or with control characters.
    """
    name = unicodedata.normalize("NFC", filename).replace("\\", "/")
    if name.startswith("/"):
        raise _bad_filename(name, "is absolute; leave out the leading slash")
    if _DRIVE.match(name):
        raise _bad_filename(name, "is absolute; leave out the drive")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        raise _bad_filename(name, "has control characters")
    folders = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in folders:
        raise _bad_filename(name, "leads out of its folder with '..'")
    name = "/".join(folders)
    if not name:
        raise _bad_filename(filename, "is empty")
    if len(name) > MAX_FILENAME_CHARS:
        raise _bad_filename(name, f"has more than {MAX_FILENAME_CHARS} characters")
    return name


def _bad_filename(name: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"the file name {name[:80]!a} {problem}", param="files")
