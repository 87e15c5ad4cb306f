"""What clients did, without what they wrote or read."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from rag.auth.key_secret import PREFIX, visible_prefix

_MAX_CHARS = 200
_SECRET = re.compile(re.escape(PREFIX) + r"[\w-]{43}")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """A request that has ended, or several equal ones that were refused."""

    entry_id: str
    at: float
    """Unix time."""
    key_id: str
    """Empty: without an API key, or with one that is not known."""
    tenant: str
    """Empty: not known."""
    action: str
    """The operation's id in the OpenAPI document; empty: there is no such route."""
    route: str
    """The method, and the path with its parameters in braces; or a command."""
    address: str
    """Of the client, as far as the service can see; or the user of a command."""
    status: int
    error_code: str = ""
    request_id: str = ""
    targets: Mapping[str, str] = field(default_factory=dict)
    """The ids in the path by parameter, and `id`: of what was created."""
    requests: int = 1

    @classmethod
    def of_command(cls, command: str, action: str, targets: Mapping[str, str], *, uid: int) -> Self:
        """Of a command that works on the catalog, without a service.

        Args:
            uid: The number of the user who runs it.
        """
        return cls(new_entry_id(), time.time(), "", "", action, command, f"local user {uid}", 200, targets=targets)


def new_entry_id() -> str:
    return f"audit_{uuid.uuid4().hex[:24]}"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An event in the catalog."""

    key_name: str
    """At the time of the event."""
    event: AuditEvent


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted. None: any."""

    tenant: str | None = None
    key_id: str | None = None
    action: str | None = None
    since: float | None = None
    until: float | None = None
    """Exclusive."""


def safe_value(text: str) -> str:
    """A value that a client chose, for the audit log: in one line, not too long, and without the secret of a key."""
    masked = _SECRET.sub(lambda secret: visible_prefix(secret[0]) + "...", text)
    printable = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in masked[:_MAX_CHARS])
    return printable[:_MAX_CHARS]
