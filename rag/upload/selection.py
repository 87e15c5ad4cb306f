"""Which files on disk the arguments of a command select."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import InvalidRequest
from rag.readers.filename import normalize_filename
from rag.readers.formats import SUPPORTED_SUFFIXES


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on disk that is to be uploaded."""

    path: Path
    name: str
    """The document's name: relative to the folder given on the command line, with forward slashes."""
    size: int
    """In bytes."""
    mtime_ns: int = 0

    @property
    def stored_name(self) -> str:
        """The name as the service normalizes it."""
        try:
            return normalize_filename(self.name)
        except InvalidRequest:  # the service will report it
            return self.name


@dataclass(frozen=True, slots=True)
class FileSelection:
    """The files that the arguments select, and what was left out."""

    files: list[LocalFile]
    """In the order of their names."""
    skipped: int
    """Number of files from folders and globs whose suffix is not supported."""
    unmatched: list[str]
    """Arguments that match no file."""
    name_conflicts: list[Path] = field(default_factory=list)
    """Files left out because an earlier argument gave another file of the same name."""


def select_files(arguments: Sequence[str], exclude: Sequence[str] = ()) -> FileSelection:
    """The files that are given by folder (recursively, without hidden ones), by glob or by name.

    A file given by name is selected whatever its suffix, because the service decides by content.

    Args:
        exclude: Glob patterns, matched against both the document's name and the bare file name.
    """
    selected: dict[str, LocalFile] = {}
    skipped, unmatched, name_conflicts = 0, [], []
    for argument in arguments:
        candidates = list(_expand(argument))
        if not candidates:
            unmatched.append(argument)
        given_by_name = Path(argument).expanduser().is_file()
        for path, name in candidates:
            if any(fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(path.name, pattern) for pattern in exclude):
                continue
            if not given_by_name and path.suffix.lower() not in SUPPORTED_SUFFIXES:
                skipped += 1
            elif (file := _local_file(path, name)) and not _is_same(selected.setdefault(name, file), path):
                name_conflicts.append(path)
    return FileSelection(sorted(selected.values(), key=lambda file: file.name), skipped, unmatched, name_conflicts)


def _is_same(file: LocalFile, path: Path) -> bool:
    return file.path.absolute() == path.absolute()


def _local_file(path: Path, name: str) -> LocalFile | None:
    """None if the file was deleted after its folder was listed."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return LocalFile(path, name, stat.st_size, stat.st_mtime_ns)


def _expand(argument: str) -> Iterator[tuple[Path, str]]:
    """Paths and document names."""
    path = Path(argument).expanduser()
    if path.is_dir():
        yield from _files_below(path)
    elif path.is_file():
        yield path, path.name
    else:
        root = _folder_before_wildcard(path)
        for match in glob.glob(str(path), recursive=True):
            if Path(match).is_file():
                yield Path(match), Path(match).relative_to(root).as_posix()


def _files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                yield path, path.relative_to(folder).as_posix()


def _folder_before_wildcard(pattern: Path) -> Path:
    """The names of the matches are relative to this folder."""
    parts: list[str] = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)
