"""Between services: which API key a request has, and which vector stores a token's tenant has.

`rag.http.clients.remote_keys` reads the responses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rag.auth.caller import caller_to_header
from rag.auth.tenant import TENANT_PATTERN
from rag.http.validation.wire_model import WireModel
from rag.types import JsonObject

if TYPE_CHECKING:
    from rag.library.keys import Authentication


class AuthenticateRequest(WireModel):
    """The hash of an API key's secret. The secret itself does not leave the edge."""

    secret_hash: str | None = Field(None, pattern="^[0-9a-f]{64}$")


class OpenTenantRequest(WireModel):
    """The tenant of a verified token, and the vector stores that it may use, by name or id; null: all."""

    tenant: str = Field(pattern=TENANT_PATTERN)
    stores: list[str] | None = None


def authentication_to_wire(found: Authentication) -> JsonObject:
    key = found.key
    if key is None:
        return {"required": found.required, "key": None}
    described = {
        "caller": caller_to_header(key.caller),
        "expires_at": key.expires_at,
        "revoked": key.revoked_at is not None,
    }
    return {"required": found.required, "key": described}
