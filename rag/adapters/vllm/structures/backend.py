"""Chooses the backend of structured outputs for a model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm.config import VllmConfig

logger = logging.getLogger("rag.engine")


def choose_structures(config: VllmConfig) -> None:
    """Set the backend `xgrammar` if the default one cannot read the model's tokenizer, such as one in Python
    (docs/bentoml_issues.md#v5).
    """
    from vllm.tokenizers import cached_tokenizer_from_config
    from vllm.v1.structured_output.backend_guidance import GuidanceBackend

    if config.model_config.skip_tokenizer_init:
        return
    if not GuidanceBackend.is_tokenizer_supported(cached_tokenizer_from_config(config.model_config)):
        logger.warning("structured outputs are compiled by xgrammar, because guidance cannot read this tokenizer")
        config.structured_outputs_config.backend = "xgrammar"
