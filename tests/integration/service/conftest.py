"""One service with API keys for all tests of this folder. The language model answers at once; everything else is real.

`service` sends the administrator's key. It sends its spans to `collector`.
`connections` says which hosts its processes have called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from playwright.sync_api import BrowserContext, Page

from tests.e2e.running import LIMIT_S, RunningService
from tests.support.browser import browser_context, opened_page, require_browser
from tests.support.servers.connection_record import ConnectionRecord
from tests.support.servers.service_without_engine import engineless_service
from tests.support.servers.span_collector import SpanCollector
from tests.support.tenants import SECRET_NAME, SECRET_TEXT, Tenant, new_tenant

ADMIN = "the-admin-key-of-these-tests-0123456789"
SERVICE = "the-service-key-of-these-tests-0123456789"
PAGE_LIMIT_S = 120.0
"""Timeout of every wait of the page's tests. It is shorter than `LIMIT_S`, because nothing that they wait for takes
more than seconds on an idle machine: the language model answers at once, and the documents are small."""
ISSUER = "https://login.example.org"
SIGNING_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
"""Of the identity provider whose tokens the service accepts."""


@pytest.fixture(scope="session")
def collector() -> Iterator[SpanCollector]:
    started = SpanCollector()
    yield started
    started.close()


@pytest.fixture(scope="session")
def connections(tmp_path_factory: pytest.TempPathFactory) -> ConnectionRecord:
    return ConnectionRecord(tmp_path_factory.mktemp("connections"))


@pytest.fixture(scope="session")
def service(
    collector: SpanCollector,
    connections: ConnectionRecord,
    language_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    options = {
        "RAG_SERVER__ADMIN_KEY": ADMIN,
        "RAG_SERVER__SERVICE_KEY": SERVICE,
        "RAG_EMBEDDER__ALLOWED_MODELS": "*",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "RAG_JWT__JWKS": str(folder / "jwks.json"),
        "RAG_JWT__ISSUER": ISSUER,
        "RAG_JWT__AUDIENCE": "rag",
        "RAG_JWT__TENANT_CLAIM": "org",
        "RAG_JWT__SCOPES_CLAIM": "scope",
        **connections.environment,
    }
    public = RSAAlgorithm.to_jwk(SIGNING_KEY.public_key(), as_dict=True)
    (folder / "jwks.json").write_text(json.dumps({"keys": [{**public, "kid": "1"}]}))
    with engineless_service(folder, language_model, **options) as running:
        running.headers["authorization"] = f"Bearer {ADMIN}"
        yield running


@pytest.fixture(scope="session")
def admin(service: RunningService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers=service.headers, timeout=LIMIT_S) as http:
        yield http


@pytest.fixture(scope="module")
def umbra(service: RunningService, admin: httpx.Client) -> Iterator[Tenant]:
    tenant = new_tenant(service, admin, "umbra", SECRET_NAME, SECRET_TEXT)
    yield tenant
    tenant.http.close()


@pytest.fixture(scope="module")
def acme(service: RunningService, admin: httpx.Client) -> Iterator[Tenant]:
    tenant = new_tenant(service, admin, "acme", "acme-notes.md", "The owl of Acme sleeps in the barn.")
    yield tenant
    tenant.http.close()


@pytest.fixture(scope="package")
def context() -> Iterator[BrowserContext]:
    """Of one browser for all tests of the page, which come last in this folder: see `ORDER` in tests/conftest.py."""
    require_browser()
    with browser_context(PAGE_LIMIT_S) as opened:
        yield opened


@pytest.fixture
def page_store(admin: httpx.Client) -> Iterator[str]:
    """The id of an empty vector store with the name `page`, and no other with that name."""
    created = admin.post("/v1/vector_stores", json={"name": "page"}).json()
    yield created["id"]
    files = admin.get(f"/v1/vector_stores/{created['id']}/files").json()["data"]
    admin.delete(f"/v1/vector_stores/{created['id']}")
    for file in files:
        admin.delete(f"/v1/files/{file['id']}")


@pytest.fixture
def page(context: BrowserContext, service: RunningService, page_store: str) -> Iterator[Page]:
    """The page with the administrator's key and the empty vector store."""
    with opened_page(context, service.url, {"store": page_store}, ADMIN) as opened:
        yield opened
