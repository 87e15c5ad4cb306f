"""Fixtures for tests that use `tests.support.v1.v1_client`, which is slow to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.v1.v1_client import V1


@pytest.fixture
def app(tmp_path: Path) -> Iterator[V1]:
    from tests.support.v1.v1_client import v1

    with v1(tmp_path) as app:
        yield app


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[V1]:
    """Shared by tests that leave nothing in it: creating one would take longer than such a test."""
    from tests.support.v1.v1_client import v1

    with v1(tmp_path_factory.mktemp("v1")) as app:
        yield app
