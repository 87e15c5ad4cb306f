"""Events of the audit log: who did what and when. They contain no texts of requests."""

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
    """One request that has ended, or several identical ones that were refused."""

    entry_id: str
    at: float
    """Unix time."""
    key_id: str
    """Empty if the request had no API key or an unknown one."""
    tenant: str
    """Empty if unknown."""
    action: str
    """The operation's id in the OpenAPI document; empty if no route matched."""
    route: str
    """The method and the route's path template, or a command."""
    address: str
    """The client's address as the service sees it, or the user who ran a command."""
    status: int
    error_code: str = ""
    request_id: str = ""
    targets: Mapping[str, str] = field(default_factory=dict)
    """Ids in the path, by parameter name, and `id` of an object that was created."""
    requests: int = 1

    @classmethod
    def of_command(cls, command: str, action: str, targets: Mapping[str, str], *, uid: int) -> Self:
        """The event of a command that works on the catalog directly.

        Args:
            uid: The number of the user who runs it.
        """
        return cls(new_entry_id(), time.time(), "", "", action, command, f"local user {uid}", 200, targets=targets)


def new_entry_id() -> str:
    return f"audit_{uuid.uuid4().hex[:24]}"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An event as it is stored in the catalog."""

    key_name: str
    """The key's name at the time of the event."""
    event: AuditEvent


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Conditions that entries must meet. None means no condition."""

    tenant: str | None = None
    key_id: str | None = None
    action: str | None = None
    since: float | None = None
    until: float | None = None
    """Entries at this time are not included."""


def safe_value(text: str) -> str:
    """Make a value from a client safe for the audit log: one line, at most 200 characters, API keys masked."""
    masked = _SECRET.sub(lambda secret: visible_prefix(secret[0]) + "...", text)
    printable = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in masked[:_MAX_CHARS])
    return printable[:_MAX_CHARS]
