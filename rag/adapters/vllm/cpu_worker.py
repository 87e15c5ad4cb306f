"""A worker extension for engines on a CPU. vLLM imports it in the process that computes.

- Requests for `prompt_logprobs` would kill an engine with LoRA adapters: vLLM's model runner computes them with the
  LoRA logits layer, which on a CPU expects one row per sampled token and fails on the rows of a prompt
  (docs/bentoml_issues.md#v2). A patch skips the layer then. Nothing is lost: the layer adds something only for an
  adapter that changes the output layer, and `prompt_logprobs` of adapters are refused.
- OpenMP binds the main thread to a core, and the threads that it starts inherit that. In the engine core's process
  these are the threads that receive requests and send tokens, so the main thread is unbound again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

from rag.adapters.vllm.parent_watchdog import OWNER_PID_VARIABLE, ParentWatchdog

if TYPE_CHECKING:
    import torch


class CpuWorkerExtension(ParentWatchdog):
    """The methods are those of `ParentWatchdog`."""


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


def _unbind_main_thread() -> None:
    owner = os.environ.get(OWNER_PID_VARIABLE, "")
    if owner == str(os.getppid()):  # otherwise this is a worker process, which only computes
        os.sched_setaffinity(0, os.sched_getaffinity(int(owner)))


_unbind_main_thread()
