"""Options of signed tokens: `RAG_JWT__...`."""

from __future__ import annotations

from functools import cached_property
from typing import Self, cast

from pydantic import Field, model_validator

from rag.auth.scopes import SCOPES, Scope
from rag.config.section import Section, listed

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class JwtSettings(Section):
    """Signed tokens (JWT) of an identity provider, which requests may have instead of API keys."""

    jwks: str = Field(
        "", description="URL or file of the identity provider's public keys (JWKS); unset: no tokens are accepted."
    )
    issuer: str = Field("", description="The issuer (`iss`) that tokens must have, exactly.")
    audience: str = Field(
        "", description="The audiences (`aud`) that tokens may have, separated by commas; a token needs one of them."
    )
    algorithms: str = Field(
        "RS256,ES256",
        description=f"Accepted algorithms, separated by commas, of {', '.join(_ALGORITHMS)}: all are asymmetric.",
    )
    leeway_s: float = Field(30.0, ge=0, le=300, description="Seconds by which the clocks may differ.")
    refresh_s: float = Field(300.0, ge=10, description="Seconds after which the public keys are read again.")
    tenant_claim: str = Field(
        "", description="Claim that names the tenant; unset: all tokens belong to the tenant `default`."
    )
    groups_claim: str = Field("groups", description="Claim that lists the groups; a token without it belongs to none.")
    scopes_claim: str = Field(
        "", description="Claim with the scopes, such as `scope` or `roles`; unset: all tokens have RAG_JWT__SCOPES."
    )
    scope_prefix: str = Field(
        "", description="Prefix of this service's scopes in the claim, such as `rag:` for `rag:ask`."
    )
    scopes: str = Field("ask", description="Scopes of all tokens, separated by commas, if no claim has them.")
    stores_claim: str = Field(
        "",
        description="Claim that lists the only vector stores a token may use, by name or ID; unset: all of its tenant.",
    )
    requests_per_minute: int | None = Field(
        None, ge=1, description="Limit of requests for each subject (`sub`) of tokens; unset: none."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.jwks and not (self.issuer and self.audiences):
            raise ValueError("RAG_JWT__JWKS needs RAG_JWT__ISSUER and RAG_JWT__AUDIENCE")
        _check_names("RAG_JWT__ALGORITHMS", self.accepted_algorithms, _ALGORITHMS)
        _check_names("RAG_JWT__SCOPES", self.default_scopes, SCOPES)
        return self

    @cached_property
    def audiences(self) -> tuple[str, ...]:
        return tuple(listed(self.audience))

    @cached_property
    def accepted_algorithms(self) -> tuple[str, ...]:
        return tuple(listed(self.algorithms))

    @cached_property
    def default_scopes(self) -> frozenset[Scope]:
        return frozenset(cast(list[Scope], listed(self.scopes)))


def _check_names(option: str, names: tuple[str, ...] | frozenset[Scope], known: tuple[str, ...]) -> None:
    if not names or not set(names) <= set(known):
        raise ValueError(f"{option} must be one or more of {', '.join(known)}, separated by commas")
