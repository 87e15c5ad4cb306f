"""A worker extension for engines on a CPU. vLLM imports it in the worker's process, where it applies two patches.

- Requests for `prompt_logprobs` would kill an engine with LoRA adapters: vLLM's model runner computes them with the
  LoRA logits layer, which on a CPU expects one row per sampled token and fails on the rows of a prompt
  (docs/bentoml_issues.md#v2). The patch skips the layer then. Nothing is lost: the layer adds something only for an
  adapter that changes the output layer, and `prompt_logprobs` of adapters are refused.
- A worker spins for a second after each message (docs/bentoml_issues.md#v11). It should spin between the steps of a
  generation, but not for long after the last one.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from vllm.distributed.device_communicators import shm_broadcast
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

from rag.adapters.vllm.parent_watchdog import ParentWatchdog

if TYPE_CHECKING:
    import torch

SPIN_S = 0.2
"""Seconds to spin after a message: longer than a step of a generation takes."""


class CpuWorkerExtension(ParentWatchdog):
    """A worker extension without methods."""


_add_lora_logits = PunicaWrapperCPU.add_lora_logits


def _add_lora_logits_of_samples(
    self: PunicaWrapperCPU,
    y: torch.Tensor,
    x: torch.Tensor,
    lora_a_stacked: torch.Tensor,
    lora_b_stacked: torch.Tensor,
    scale: float,
    *,
    buffer: torch.Tensor | None = None,
    **options: object,
) -> None:
    if self.sampler_indices.shape[0] in (1, x.shape[0]):
        _add_lora_logits(self, y, x, lora_a_stacked, lora_b_stacked, scale, buffer=buffer, **options)


PunicaWrapperCPU.add_lora_logits = _add_lora_logits_of_samples  # type: ignore[method-assign]
# The worker opens its queues after it has imported this module.
shm_broadcast.SpinCondition = functools.partial(  # type: ignore[misc, assignment]
    shm_broadcast.SpinCondition, busy_loop_s=SPIN_S
)
