"""Fixtures for OGX's integration tests against this service, in the place of OGX's own `tests/integration/conftest.py`.

`run.sh` copies this file and its neighbours over those of a copy of OGX's tests.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import stand_ins

stand_ins.install()

import mcp_servers  # noqa: E402
import pytest  # noqa: E402
from clients import ENCODER, LANGUAGE_MODEL, URL, OgxShim, OpenAiShim  # noqa: E402

mcp_servers.install()

# In the order of the names of test ids. A model that the service does not have is None: its tests are skipped.
PARAMETERS = {
    "text_model_id": LANGUAGE_MODEL,
    "vision_model_id": None,
    "embedding_model_id": ENCODER,
    "shield_id": None,
    "judge_model_id": None,
    "embedding_dimension": 384,
    "rerank_model_id": None,
}
PROVIDER = "inline::milvus"


def pytest_addoption(parser: pytest.Parser) -> None:
    for name in ("--stack-config", "--text-model", "--embedding-model", "--inference-mode", "--setup", "--suite"):
        parser.addoption(name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector_io_provider_id" in metafunc.fixturenames:
        metafunc.parametrize("vector_io_provider_id", [PROVIDER])
    for name, value in PARAMETERS.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, [value], scope="session")


@pytest.fixture(autouse=True)
def skip_if_no_model(request: pytest.FixtureRequest) -> None:
    for name, value in PARAMETERS.items():
        if value is None and name in request.fixturenames:
            pytest.skip(f"this service has no {name}")


@pytest.fixture(scope="session")
def ogx_client() -> OgxShim:
    return OgxShim(base_url=URL, timeout=120, max_retries=0)


@pytest.fixture(scope="session")
def client_with_models(ogx_client: OgxShim) -> OgxShim:
    return ogx_client


@pytest.fixture(scope="session")
def openai_client() -> Iterator[OpenAiShim]:
    with OpenAiShim(
        base_url=f"{URL}/v1", api_key=os.environ.get("RAG_API_KEY", "none"), timeout=120, max_retries=0
    ) as client:
        yield client


@pytest.fixture(params=["openai_client", "client_with_models"])
def compat_client(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def require_server() -> None:
    """The service runs."""


@pytest.fixture(scope="session")
def inference_provider_type() -> str:
    return "remote::rag"


@pytest.fixture(scope="session")
def model_providers() -> set[str]:
    return {"rag"}


@pytest.fixture
def vector_io_provider_id(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", PROVIDER)


def vector_provider_wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    """OGX's decorator that skips providers which are not configured. Here there is one."""
    return function
