"""Opens untrusted ZIP archives after checking how much they unpack to."""

from __future__ import annotations

import contextlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from rag.errors import BrokenFile, EncryptedFile, ParsingLimit

_MIB = 2**20
MAX_UNPACKED = 1024 * _MIB
MAX_MEMBERS = 50_000
_RATIO_CHECKED_FROM = 16 * _MIB
_MAX_RATIO = 200
"""Office XML compresses 10 times, rarely 50 times; only a ZIP bomb exceeds this ratio."""


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The opened archive.

    `zipfile` never unpacks more of a member than the archive's directory declares, so it is enough to check that.

    Raises:
        BrokenFile, EncryptedFile, ParsingLimit: on opening, or while a member is read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive.infolist())
            yield archive
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError) as error:
        raise BrokenFile(f"is damaged: {error}") from None


def _check(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED:
        raise ParsingLimit(f"unpacks to more than {MAX_UNPACKED // _MIB} MiB or {MAX_MEMBERS:,} files")
    for member in members:
        if member.flag_bits & 1:
            raise EncryptedFile("is password-protected; save it without a password")
        if member.file_size > max(_RATIO_CHECKED_FROM, _MAX_RATIO * member.compress_size):
            raise ParsingLimit(f"has a member that unpacks from {member.compress_size:,} to {member.file_size:,} bytes")
