"""vLLM's executor for engines on a CPU."""

from __future__ import annotations

from vllm.v1.executor.multiproc_executor import MultiprocExecutor

SPIN_S = 0.01
"""How long the engine core spins after a worker's last message, before it sleeps until the next one.

It must stay well above a millisecond: ZeroMQ may drop a notification that is sent that soon after another one, and
only a reader that spins does not need it.
"""


class CpuExecutor(MultiprocExecutor):
    """vLLM's own, except that the engine core does not spin for as long as its workers compute.

    They compute for longer than `SPIN_S` in each step, and the core is needed elsewhere (docs/bentoml_issues.md#v11).
    """

    def _init_executor(self) -> None:
        super()._init_executor()
        for queue in self.response_mqs:
            if queue._spin_condition is not None:
                queue._spin_condition.busy_loop_s = SPIN_S
