"""What vLLM's routes for adapters take."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from rag.http.wire import WireModel

ADAPTER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"


class LoadAdapterRequest(WireModel):
    """A LoRA adapter to be loaded."""

    model_config = ConfigDict(json_schema_extra={"example": {"lora_name": "sql", "lora_path": "/models/sql-lora"}})

    lora_name: str = Field(pattern=ADAPTER_NAME, max_length=128, description="What requests call it in `model`, later.")
    lora_path: str = Field(min_length=1, max_length=4096, description="A folder of the LLM service, or a hub id.")
    load_inplace: bool = Field(False, description="Replace the one that is loaded under this name.")


class UnloadAdapterRequest(WireModel):
    """A LoRA adapter that is not needed any more."""

    model_config = ConfigDict(json_schema_extra={"example": {"lora_name": "sql"}})

    lora_name: str = Field(min_length=1, max_length=512)
    lora_int_id: int | None = Field(None, description="As vLLM's route takes it; the name alone counts.")
