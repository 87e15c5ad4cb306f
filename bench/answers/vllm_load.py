"""vLLM's own load generator, `vllm bench serve --backend openai-chat`, in a process of its own.

`python -m bench.answers.vllm_load` reads a JSON request on stdin: `{"tokenizer", "input_len", "output_len", "turns"}`.
Each turn has a `base_url`, a `model`, a number of `users` and a number of `prompts`. Prints vLLM's report of each turn.
The command-line entry point itself does not work in vLLM's CPU wheel.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from typing import Any, cast

_REPORTED = (
    "completed",
    "failed",
    "total_output_tokens",
    "output_throughput",
    "mean_ttft_ms",
    "p99_ttft_ms",
    "mean_tpot_ms",
)


def run(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    from vllm.benchmarks import serve
    from vllm.utils import argparse_utils

    parser: Any = cast(Any, argparse_utils).FlexibleArgumentParser()
    serve.add_cli_args(parser)
    reports = []
    for turn in request["turns"]:
        report = serve.main(parser.parse_args(_options(request, turn)))
        reports.append({name: report[name] for name in _REPORTED if name in report})
    return reports


def _options(request: Mapping[str, Any], turn: Mapping[str, Any]) -> list[str]:
    values = {
        "backend": "openai-chat",
        "endpoint": "/v1/chat/completions",
        "base-url": turn["base_url"],
        "model": request["tokenizer"],
        "served-model-name": turn["model"],
        "dataset-name": "random",
        "random-input-len": request["input_len"],
        "random-output-len": request["output_len"],
        "num-prompts": turn["prompts"],
        "max-concurrency": turn["users"],
        "num-warmups": 1,
        "temperature": 0,
        "seed": 1,
    }
    return [
        *(part for name, value in values.items() for part in (f"--{name}", str(value))),
        "--ignore-eos",
        "--disable-tqdm",
    ]


if __name__ == "__main__":
    request = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        answer = run(request)
    print(json.dumps(answer))
