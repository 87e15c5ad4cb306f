"""Encrypts and decrypts compacted conversations, which are stored by clients."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rag.auth.caller import current_caller, current_tenant
from rag.catalog import groups
from rag.errors import DependencyUnavailable, InvalidRequest
from rag.types import JsonMapping, JsonObject

_KEY_FILE = "compaction.key"
_KEY_BYTES, _NONCE_BYTES = 32, 12
_FORMAT = b"\x01"
_PARAM = "encrypted_content"
_WRITING_S = 5.0
"""How long another process may take to write the key."""
_POLL_S = 0.02


class CompactionSeal:
    """Seals items with AES-GCM for the current caller's tenant. Methods block.

    Args:
        folder: Where the key is stored; replicas share it. The key is created when it is first needed.
        secret: The key is derived from this text instead; None: it is in the folder.
    """

    def __init__(self, folder: Path, secret: str | None = None) -> None:
        self._file = folder / _KEY_FILE
        self._key = None if secret is None else hashlib.sha256(b"rag compaction\0" + secret.encode()).digest()

    def seal(self, items: Sequence[JsonMapping]) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        content = json.dumps({"items": list(items), **_readable_by()}, separators=(",", ":")).encode()
        sealed = self._cipher().encrypt(nonce, content, _tenant())
        return base64.urlsafe_b64encode(_FORMAT + nonce + sealed).decode()

    def open(self, sealed: str) -> list[JsonObject]:
        """The items.

        Raises:
            InvalidRequest: they were changed, are another tenant's, were sealed with another key, or by a caller who
                could read documents that the current one cannot.
        """
        try:
            raw = base64.b64decode(sealed, altchars=b"-_", validate=True)
            if not raw.startswith(_FORMAT):
                raise ValueError("unknown format")
            nonce, rest = raw[1 : 1 + _NONCE_BYTES], raw[1 + _NONCE_BYTES :]
            content: JsonObject = json.loads(self._cipher().decrypt(nonce, rest, _tenant()))
        except (ValueError, InvalidTag):
            raise _refusal() from None
        for name, present in _readable_by().items():
            if not _includes(present, content[name]):
                raise _refusal()
        items: list[JsonObject] = content["items"]
        return items

    def _cipher(self) -> AESGCM:
        if self._key is None:
            self._key = _shared_key(self._file)
        return AESGCM(self._key)


def _tenant() -> bytes:
    return f"tenant {current_tenant()}".encode()


def _readable_by() -> dict[str, list[str] | None]:
    """The groups whose documents the caller can read; None: all. Answers in a conversation may quote documents."""
    caller, read_groups = current_caller.get(), groups.of_caller()
    stores = None if caller is None else caller.stores
    return {
        "groups": None if read_groups is None else sorted(read_groups),
        "stores": None if stores is None else sorted(stores),
    }


def _includes(present: Collection[str] | None, sealed: Collection[str] | None) -> bool:
    return present is None or (sealed is not None and set(sealed) <= set(present))


def _refusal() -> InvalidRequest:
    reason = "cannot be opened: it was changed, or it was not made by this service for you"
    return InvalidRequest(f"{_PARAM}: {reason}", param=_PARAM)


def _shared_key(file: Path) -> bytes:
    """The key in the file, which exactly one of several processes creates."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_key(file)
    with os.fdopen(handle, "wb") as new:
        new.write(key := os.urandom(_KEY_BYTES))
        new.flush()
        os.fsync(new.fileno())
    return key


def _read_key(file: Path) -> bytes:
    """Raises DependencyUnavailable if the key is not complete after some time: its writer was interrupted."""
    deadline = time.monotonic() + _WRITING_S
    while len(key := file.read_bytes()) != _KEY_BYTES:
        if time.monotonic() > deadline:
            raise DependencyUnavailable(f"{file.name}: the key of compacted conversations is damaged; delete the file")
        time.sleep(_POLL_S)
    return key
