"""One service with API keys for all tests of this folder. The language model answers at once; everything else is real.

`service` sends the administrator's key. It sends its spans to `collector`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.running import LIMIT_S, RunningService
from tests.support.service_without_engine import engineless_service
from tests.support.span_collector import SpanCollector

ADMIN = "the-admin-key-of-these-tests-0123456789"
SERVICE = "the-service-key-of-these-tests-0123456789"


@pytest.fixture(scope="session")
def collector() -> Iterator[SpanCollector]:
    started = SpanCollector()
    yield started
    started.close()


@pytest.fixture(scope="session")
def service(
    collector: SpanCollector, language_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    options = {
        "RAG_SERVER__ADMIN_KEY": ADMIN,
        "RAG_SERVER__SERVICE_KEY": SERVICE,
        "RAG_EMBEDDER__ALLOWED_MODELS": "*",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with engineless_service(tmp_path_factory.mktemp("service"), language_model, **options) as running:
        running.headers["authorization"] = f"Bearer {ADMIN}"
        yield running


@pytest.fixture(scope="session")
def admin(service: RunningService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers=service.headers, timeout=LIMIT_S) as http:
        yield http
