"""The document side over both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.library_harness import House, a_house
from tests.support.postgres import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    url = new_database(request.getfixturevalue("postgres")) if request.param == "postgresql" else None
    with a_house(tmp_path, url=url) as house:
        yield house
