"""Fixtures of the tests that use `tests.support.v1_client`; others do not wait for what it imports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.v1_client import V1


@pytest.fixture
def app(tmp_path: Path) -> Iterator[V1]:
    from tests.support.v1_client import v1

    with v1(tmp_path) as app:
        yield app


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[V1]:
    """For tests that leave nothing behind: to make one for each would take longer than they do."""
    from tests.support.v1_client import v1

    with v1(tmp_path_factory.mktemp("v1")) as app:
        yield app
