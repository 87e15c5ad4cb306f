"""Files, and uploads of their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """An upload on disk. Whoever holds it owns it: the library moves or deletes the file."""

    filename: str
    """Normalised; see `rag.readers.filename`."""
    path: Path
    bytes: int
    content_hash: str
    """SHA-256 in hex."""
    charset: str = ""
    """The encoding of its text by the upload's Content-Type; empty if that names none."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """An uploaded file. `bytes` and `content_hash` are those of its newest content."""

    file_id: str
    filename: str
    purpose: str
    bytes: int
    content_hash: str
    created_at: float
    expires_at: float | None = None
    read_groups: Sequence[str] = ()
    """The groups that may read it; empty: everyone in the tenant."""


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A file that will be uploaded in parts."""

    filename: str
    """Normalised; see `rag.readers.filename`."""
    purpose: str
    bytes: int
    charset: str = ""
    """As that of `UploadedFile`."""
    file_expiry_s: int | None = None
    """After how many seconds the file expires; None: its purpose decides."""


@dataclass(frozen=True, slots=True)
class UploadPartRecord:
    part_id: str
    upload_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """An upload in parts."""

    upload_id: str
    filename: str
    purpose: str
    bytes: int
    """The size of the whole file."""
    status: Literal["pending", "completed", "cancelled", "expired"]
    created_at: float
    expires_at: float
    file: FileRecord | None = None
    """The file of a completed upload, as long as it exists."""
