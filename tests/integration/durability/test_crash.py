"""Rounds of `python -m tests.stress.crash`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stress import crash

pytestmark = [pytest.mark.integration, pytest.mark.long]


ROUNDS = 30


@pytest.mark.timeout(3600)
def test_nothing_accepted_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    totals = crash.run(ROUNDS, seed=4, folder=tmp_path, tell=lambda _: None)
    assert totals.damage.found == {}
    assert totals.rounds == ROUNDS
    assert totals.accepted > 0
