"""Metrics by tenant."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from rag.auth.caller import DEFAULT_TENANT

REGISTRY = CollectorRegistry()
MAX_TENANTS = 1000
NO_TENANT = "_none"
OTHER_TENANTS = "_other"
"""Names of tenants begin with a letter or a digit, so none is called like these two."""

REQUESTS = Counter(
    "rag_tenant_requests_total",
    "Requests of clients by the tenant of their key. `outcome`: `ok`, `disconnected`, or the error code of the "
    "response. Tenant `_none`: the request needed no key, or was refused before its key was known.",
    ("tenant", "outcome"),
    registry=REGISTRY,
)
_known: set[str] = set()

REQUESTS.labels(DEFAULT_TENANT, "ok")


def tenant_label(tenant: str) -> str:
    """The tenant's name. After the first thousand tenants, further ones share one label, so that the number of series
    is limited."""
    if not tenant:
        return NO_TENANT
    if tenant not in _known:
        if len(_known) >= MAX_TENANTS:
            return OTHER_TENANTS
        _known.add(tenant)
    return tenant
