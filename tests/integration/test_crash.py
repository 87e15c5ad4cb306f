"""Rounds of `python -m tests.stress.crash`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stress import crash

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("rounds", [1, pytest.param(30, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_nothing_accepted_is_lost_when_the_process_is_killed(tmp_path: Path, rounds: int) -> None:
    totals = crash.run(rounds, seed=4, folder=tmp_path, tell=lambda _: None)
    assert totals.damage.found == {}
    assert totals.rounds == rounds
    assert totals.accepted > 0
