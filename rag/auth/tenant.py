"""The names of tenants."""

from __future__ import annotations

import re

TENANT_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,62}$"


def is_tenant(name: str) -> bool:
    """Whether a tenant can have this name."""
    return re.fullmatch(TENANT_PATTERN, name) is not None
