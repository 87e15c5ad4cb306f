"""A worker extension for engines with LoRA adapters, which keeps `prompt_logprobs` from killing a CPU engine.

vLLM's model runner computes `prompt_logprobs` with the LoRA logits layer, which on a CPU expects one row per sampled
token and fails on the rows of a prompt (docs/bentoml_issues.md#v2). The patch skips the layer then.
Nothing is lost: the layer adds something only for an adapter that changes the output layer, and `prompt_logprobs` of
adapters are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

from rag.adapters.vllm.parent_watchdog import ParentWatchdog

if TYPE_CHECKING:
    import torch


class LoraWorkerExtension(ParentWatchdog):
    """A worker extension without methods: vLLM imports this module, which applies the patch."""


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
