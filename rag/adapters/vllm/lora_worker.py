"""Loaded by vLLM in its worker processes where there are adapters, in place of the leash, which it brings along.

vLLM 0.32's model runner computes `prompt_logprobs` with the layer of the adapters that is there for sampled tokens. On
a CPU that layer fails when the prompt has another number of tokens than the batch has texts, and the whole engine dies
of it (`einsum(): subscript b has size 3 for operand 1`). What it would add is nothing, unless an adapter changes the
model's last layer; so here it adds nothing then, and `prompt_logprobs` of adapters are refused.
"""

from __future__ import annotations

from typing import Any

from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

from rag.adapters.vllm.parent_watchdog import ParentWatchdog


class LoraWorkerExtension(ParentWatchdog):
    """A vLLM worker extension without methods; importing it is enough."""


_add_lora_logits: Any = PunicaWrapperCPU.add_lora_logits


def _add_where_it_fits(self: Any, y: Any, x: Any, *weights: Any, **options: Any) -> None:
    if self.sampler_indices.shape[0] in (1, x.shape[0]):
        _add_lora_logits(self, y, x, *weights, **options)


PunicaWrapperCPU.add_lora_logits = _add_where_it_fits  # type: ignore[method-assign]
