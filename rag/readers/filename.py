"""Document names. They are identifiers, never paths on disk."""

from __future__ import annotations

import re
import unicodedata

from rag.errors import InvalidRequest

MAX_FILENAME_CHARS = 512
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
)
"""Soft hyphens, zero-width characters and marks of direction: names that differ in them look the same, and a mark of
direction can make `exe.pdf` of `fdp.exe`. Joiners (U+200C, U+200D) stay, because they change what is seen."""
_DRIVE = re.compile(r"[A-Za-z]:/")


def normalize_filename(filename: str) -> str:
    """The name in Unicode NFC, with forward slashes, without `.` or empty segments and without invisible characters.

    Raises:
        InvalidRequest: the name is empty, absolute or too long, or has `..` segments or control characters.
    """
    name = unicodedata.normalize("NFC", filename).translate(_INVISIBLE).replace("\\", "/")
    if name.startswith("/"):
        raise _invalid_filename(name, "is absolute; remove the leading slash")
    if _DRIVE.match(name):
        raise _invalid_filename(name, "is absolute; remove the drive letter")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        raise _invalid_filename(name, "contains control characters")
    segments = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in segments:
        raise _invalid_filename(name, "must not contain '..' segments")
    name = "/".join(segments)
    if not name:
        raise _invalid_filename(filename, "is empty")
    if len(name) > MAX_FILENAME_CHARS:
        raise _invalid_filename(name, f"is longer than {MAX_FILENAME_CHARS} characters")
    return name


def _invalid_filename(name: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"the file name {name[:80]!a} {problem}", param="files")
