"""The library over both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.library_harness import LibraryHarness, make_harness
from tests.support.servers.postgres import empty_catalog


@pytest.fixture(params=["sqlite", "postgresql"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LibraryHarness]:
    url = empty_catalog(request.getfixturevalue("postgres")) if request.param == "postgresql" else None
    with make_harness(tmp_path, url=url) as harness:
        yield harness
