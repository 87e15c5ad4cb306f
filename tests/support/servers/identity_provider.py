"""An identity provider: its keys, and the tokens that it signs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from rag.http.auth.signed_tokens.json_web_keys import JsonWebKeys
from rag.http.auth.signed_tokens.token_verifier import TokenRules, TokenVerifier

ISSUER, AUDIENCE = "https://login.example.org", "rag"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, algorithm: str, kid: str | None, **more: Any) -> dict[str, Any]:
    public = json.loads(get_default_algorithms()[algorithm].to_jwk(key.public_key()))
    public.pop("key_ops", None)
    return {**public, **({} if kid is None else {"kid": kid}), **more}


KEYS = [jwk(RSA, "RS256", "r"), jwk(EC, "ES256", "e"), jwk(ED, "EdDSA", "d", alg="EdDSA")]


class Provider:
    """An identity provider, and how often its keys were read."""

    def __init__(self, keys: Sequence[dict[str, Any]] = KEYS) -> None:
        self.document: Any = {"keys": list(keys)}
        self.failure: Exception | None = None
        self.reads = 0
        self.now = 1000.0
        self.keys = JsonWebKeys(self.read, refresh_s=300, clock=lambda: self.now)

    async def read(self) -> bytes:
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        return self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode()

    def verifier(self, *algorithms: str) -> TokenVerifier:
        chosen = algorithms or ("RS256", "PS256", "ES256", "EdDSA")
        return TokenVerifier(self.keys, TokenRules(ISSUER, [AUDIENCE, "other"], chosen, leeway_s=30))


def token(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "r", **changes: Any) -> str:
    """A valid token with changed claims; None removes a claim."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={} if kid is None else {"kid": kid})
