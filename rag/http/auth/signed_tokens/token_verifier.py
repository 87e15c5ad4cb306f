"""Verifies signed tokens (JSON Web Tokens) of an identity provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from rag.errors import Unauthenticated
from rag.http.auth.signed_tokens.json_web_keys import JsonWebKeys
from rag.types import JsonObject

_REQUIRED = ("exp", "iss", "aud", "sub")
_REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "has expired",
    jwt.ImmatureSignatureError: "is not valid yet",
    jwt.InvalidIssuerError: "is from another issuer",
    jwt.InvalidAudienceError: "is for another audience",
    jwt.InvalidSignatureError: "has an invalid signature",
    jwt.InvalidAlgorithmError: "is signed with another algorithm than its key is for",
}


@dataclass(frozen=True, slots=True)
class TokenRules:
    """The requirements of a token besides a valid signature."""

    issuer: str
    audiences: Sequence[str]
    """The token must name one of them as its audience."""
    algorithms: Sequence[str]
    """Its algorithm must be one of them. All are asymmetric."""
    leeway_s: float
    """Allowed difference between the clocks."""


class TokenVerifier:
    """Checks the signatures of tokens, who issued them, for whom and for how long."""

    def __init__(self, keys: JsonWebKeys, rules: TokenRules) -> None:
        self._keys = keys
        self._rules = rules

    async def claims(self, token: str) -> JsonObject:
        """The claims of a valid token.

        Raises:
            Unauthenticated: it is not valid; says why.
            DependencyUnavailable: the keys are not known.
        """
        algorithm, key_id = self._header(token)
        key = await self._keys.find(key_id)
        try:
            return self._decoded(token, key, algorithm)
        except jwt.MissingRequiredClaimError as error:
            raise Unauthenticated(f"the token has no claim {error.claim}") from None
        except (jwt.PyJWTError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise Unauthenticated(f"the token {_REASONS.get(type(error), 'is malformed')}") from None

    def _header(self, token: str) -> tuple[str, str | None]:
        """The algorithm, which is an accepted one, and the id of the key. They are not verified yet."""
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Unauthenticated("the token is malformed") from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._rules.algorithms:
            accepted = ", ".join(self._rules.algorithms)
            raise Unauthenticated(f"the token is signed with {str(algorithm)[:20]!a}; accepted: {accepted}")
        return algorithm, key_id

    def _decoded(self, token: str, key: JsonObject, algorithm: str) -> JsonObject:
        rules = self._rules
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(key, key.get("alg") or algorithm),
            algorithms=[algorithm],
            audience=list(rules.audiences),
            issuer=rules.issuer,
            leeway=rules.leeway_s,
            options={"require": list(_REQUIRED), "enforce_minimum_key_length": True},
        )
        return claims
