"""The adapters of the settings are found by the function that the wiring passes in, and checked without an engine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rag.adapters.vllm.lora import check_configured
from rag.config import LLMSettings
from rag.errors import SetupError

LORA_CONFIG: Any = SimpleNamespace(max_lora_rank=16)


def test_a_folder_that_cannot_be_found_names_the_option_and_the_adapter(tmp_path: Path) -> None:
    def adapter_folder(adapter: str, option: str) -> str:
        raise SetupError(f"{option}: there is no folder {adapter}", param=option)

    with pytest.raises(SetupError, match=r"^RAG_LLM__ADAPTERS: sql: there is no folder org/sql$"):
        check_configured(LLMSettings(adapters={"sql": "org/sql"}), tmp_path, LORA_CONFIG, adapter_folder)


def test_the_folder_that_was_found_is_checked(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=rf"^RAG_LLM__ADAPTERS: sql: the folder {tmp_path} contains no adapter"):
        check_configured(
            LLMSettings(adapters={"sql": "org/sql"}), tmp_path, LORA_CONFIG, lambda adapter, option: str(tmp_path)
        )


def test_an_engine_without_adapters_refuses_them(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="ENABLE_LORA is false"):
        check_configured(LLMSettings(adapters={"sql": "x"}), tmp_path, None, lambda adapter, option: adapter)
