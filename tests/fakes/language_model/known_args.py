from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class KnownArgs:
    """Replaces vLLM's AsyncEngineArgs."""

    model: str = ""
    worker_extension_cls: str = ""
    distributed_executor_backend: str | None = None
    enforce_eager: bool = False
    max_num_seqs: int = 256
    block_size: int | None = None
    max_model_len: int | None = None
    dtype: str = "auto"
    revision: str | None = None
    compilation_config: Any = None
    speculative_config: dict[str, Any] | None = None
    structured_outputs_config: Any = None
    enable_lora: bool = False
    max_loras: int = 1
    max_cpu_loras: int | None = None
