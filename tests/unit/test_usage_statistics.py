"""No library of the bundle sends usage statistics, whatever the environment says."""

from __future__ import annotations

import os
import subprocess
import sys

CHECK = """
import bentoml, rag
from bentoml._internal.utils.analytics.usage_stats import do_not_track
from huggingface_hub import constants
from vllm import envs
print(do_not_track(), constants.HF_HUB_DISABLE_TELEMETRY, envs.VLLM_NO_USAGE_STATS)
"""


def test_importing_the_bundle_turns_them_off() -> None:
    allowed = {"BENTOML_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "0", "VLLM_NO_USAGE_STATS": "0"}
    env = {**os.environ, **allowed, "VLLM_LOGGING_LEVEL": "ERROR"}
    done = subprocess.run([sys.executable, "-c", CHECK], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-3:] == ["True", "True", "True"]
