"""The `Idempotency-Key` header: a repeated request is executed only once."""

from __future__ import annotations

import re

from starlette.requests import Request

from rag.errors import InvalidRequest

HEADER = "idempotency-key"
_KEY = re.compile(r"[ -~]{1,255}")


def idempotency_key(request: Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key: must be 1 to 255 printable ASCII characters", param="Idempotency-Key")
    return key
