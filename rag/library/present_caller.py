"""Restores the caller of recorded background work, with its current permissions."""

from __future__ import annotations

import time
from dataclasses import replace

import sqlalchemy as sa

from rag.auth.caller import Caller, caller_from_header
from rag.catalog.tenants import keys
from rag.errors import NotFound, Unauthenticated


def present_caller(connection: sa.Connection, recorded: str) -> Caller:
    """The caller that was recorded with `caller_to_header`. An API key gets its current permissions.

    Signed tokens, the admin key of the settings and callers without a key cannot be looked up, so they keep the
    recorded ones.

    Raises:
        Unauthenticated: the key is revoked or expired, or another release recorded the caller.
    """
    try:
        caller = replace(caller_from_header(recorded), in_background=True)
    except ValueError:
        raise Unauthenticated("another release of this service recorded the request; send it again") from None
    if not caller.key_id:
        return caller
    try:
        key = keys.get(connection, caller.key_id)
    except NotFound:
        return caller
    if (status := key.status(time.time())) != "active":
        raise Unauthenticated(f"the API key is {status}")
    now = key.caller
    return replace(caller, scopes=now.scopes, stores=now.stores, groups=now.groups, key_limits=now.key_limits)
