"""Who may use the services: decided from the settings and from the address that a process listens on."""

from __future__ import annotations

import functools
import ipaddress
import os
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from rag.adapters.memory_buckets import MemoryBuckets
from rag.adapters.memory_counters import MemoryCounters
from rag.auth.limits import Limits
from rag.bootstrap.loaded_settings import settings
from rag.http.auth.admission import ServiceAdmission
from rag.http.auth.audit_trail import AuditTrail
from rag.http.auth.edge_admission import EdgeAdmission
from rag.http.auth.rate_limit import RateLimits
from rag.http.auth.route_table import RouteTable
from rag.http.auth.signed_tokens.json_web_keys import JsonWebKeys, reader
from rag.http.auth.signed_tokens.token_callers import TokenCallers
from rag.http.auth.signed_tokens.token_claims import ClaimNames
from rag.http.auth.token_limits import TokenLimits

if TYPE_CHECKING:
    from rag.adapters.redis.limits_redis import LimitsRedis
    from rag.http.openapi.route import OpenApiRoute


@functools.cache
def edge_admission() -> EdgeAdmission:
    """Returns the admission checks that this process makes as the edge."""
    server = settings().server
    return EdgeAdmission(
        route_table(),
        request_limits(),
        token_limits(),
        admin_key=_secret(server.admin_key),
        is_open=server.open,
        is_local=not listens_to_other_machines(),
        tenant_limits=tenant_limits,
        token_callers=token_callers(),
    )


@functools.cache
def route_table() -> RouteTable:
    return RouteTable(_public_operations)


def _public_operations() -> Sequence[OpenApiRoute]:
    from rag.http.published_document import public_operations  # here, because only the edge needs all routes

    return public_operations()


@functools.cache
def audit_trail() -> AuditTrail | None:
    """The audit trail of the edge in this process; None if there is no audit log."""
    record = settings().audit.record
    return None if record == "off" else AuditTrail(route_table(), everything=record == "all")


@functools.cache
def request_limits() -> RateLimits:
    """The request limits of the edge in this process. Its replicas share the counts if Redis is configured."""
    own = MemoryBuckets()
    if (redis := _limits_redis()) is None:
        return RateLimits(own)
    from rag.adapters.redis.buckets import RedisBuckets

    return RateLimits(RedisBuckets(redis, own))


@functools.cache
def token_limits() -> TokenLimits:
    """The token limits of the edge in this process. Its replicas share the counts if Redis is configured."""
    own = MemoryCounters()
    if (redis := _limits_redis()) is None:
        return TokenLimits(own)
    from rag.adapters.redis.counters import RedisCounters

    return TokenLimits(RedisCounters(redis, own))


@functools.cache
def _limits_redis() -> LimitsRedis | None:
    if (url := settings().cache.url) is None:
        return None
    from rag.adapters.redis.limits_redis import LimitsRedis

    return LimitsRedis(url.get_secret_value())


@functools.cache
def tenant_limits(tenant: str) -> Limits:
    """The limits of a tenant, from the settings."""
    options = settings().limits
    own = options.tenants.get(tenant)
    named = {} if own is None else own.model_dump(exclude_unset=True)
    return Limits.from_json({**options.model_dump(exclude={"tenants"}), **named})


@functools.cache
def token_callers() -> TokenCallers | None:
    """Verifies signed tokens at the edge in this process; None if they are not accepted."""
    options = settings().jwt
    if (keys := token_keys()) is None:
        return None
    from rag.http.auth.signed_tokens.token_verifier import TokenRules, TokenVerifier

    rules = TokenRules(options.issuer, options.audiences, options.accepted_algorithms, options.leeway_s)
    names = ClaimNames(
        groups=options.groups_claim,
        tenant=options.tenant_claim,
        scopes=options.scopes_claim,
        scope_prefix=options.scope_prefix,
        default_scopes=options.default_scopes,
        stores=options.stores_claim,
    )
    limits = Limits(requests_per_minute=options.requests_per_minute)
    return TokenCallers(TokenVerifier(keys, rules), names, limits)


@functools.cache
def token_keys() -> JsonWebKeys | None:
    """The identity provider's public keys; None if signed tokens are not accepted."""
    options = settings().jwt
    return JsonWebKeys(reader(options.jwks), refresh_s=options.refresh_s) if options.jwks else None


def service_admission() -> ServiceAdmission:
    """What admits requests at the inner service in this process."""
    server = settings().server
    key = _secret(server.service_key)
    return ServiceAdmission(key, is_exposed=key is None and not server.open and listens_to_other_machines())


def listens_to_other_machines() -> bool:
    """Whether other machines can reach the socket that BentoML gave this process. True if that is not known."""
    if (descriptor := _socket_option()) is None:
        return True
    try:
        with socket.socket(fileno=os.dup(descriptor)) as listening:
            if listening.family not in (socket.AF_INET, socket.AF_INET6):
                return False  # a Unix socket in a folder of this user
            return not is_loopback(str(listening.getsockname()[0]))
    except OSError:
        return True


def _socket_option() -> int | None:
    """The value of `--fd` in the command line of BentoML's worker processes; None in any other process."""
    for option, value in zip(sys.argv, sys.argv[1:], strict=False):
        if option == "--fd" and value.isdigit():
            return int(value)
    return None


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()
