"""No library of the bundle sends usage statistics, although the environment of the process allows it."""

from __future__ import annotations

import pytest

from tests.integration.vllm.conftest import STATISTICS_ALLOWED, VllmProcess

pytestmark = pytest.mark.integration


def statistics_off() -> list[bool]:
    from bentoml._internal.utils.analytics.usage_stats import do_not_track
    from huggingface_hub import constants
    from vllm import envs

    return [do_not_track(), constants.HF_HUB_DISABLE_TELEMETRY, envs.VLLM_NO_USAGE_STATS]


def test_importing_the_bundle_turns_them_off(vllm_process: VllmProcess) -> None:
    assert STATISTICS_ALLOWED["VLLM_NO_USAGE_STATS"] == "0"
    assert vllm_process.run(statistics_off) == [True, True, True]
