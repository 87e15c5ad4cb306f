"""ZIP archives from strangers: opened only when what they unpack to is bounded."""

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
_RATIO_COUNTS_FROM = 16 * _MIB
_MAX_RATIO = 200
"""Office XML shrinks to a tenth, seldom to a fiftieth; nothing but a bomb to less than this."""


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive.

    `zipfile` never unpacks more of a member than the directory says, so what is checked here holds.

    Raises:
        BrokenFile, EncryptedFile, ParsingLimit: there, or while a member is read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive.infolist())
            yield archive
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError) as error:
        raise BrokenFile(f"is damaged: {error}") from None


def check_zip(path: Path) -> None:
    """For libraries that open the archive themselves. Raises as `open_zip`."""
    with open_zip(path):
        pass


def _check(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED:
        raise ParsingLimit(f"unpacks to more than {MAX_UNPACKED // _MIB} MiB or {MAX_MEMBERS:,} parts")
    for member in members:
        if member.flag_bits & 1:
            raise EncryptedFile("is protected by a password; save it without one")
        if member.file_size > max(_RATIO_COUNTS_FROM, _MAX_RATIO * member.compress_size):
            raise ParsingLimit(f"has a part that unpacks from {member.compress_size:,} to {member.file_size:,} bytes")
