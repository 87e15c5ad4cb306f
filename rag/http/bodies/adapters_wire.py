"""Request bodies of vLLM's routes for LoRA adapters."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from rag.http.validation.wire_model import WireModel

ADAPTER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"


class LoadAdapterRequest(WireModel):
    """A LoRA adapter to load."""

    model_config = ConfigDict(json_schema_extra={"example": {"lora_name": "sql", "lora_path": "/models/sql-lora"}})

    lora_name: str = Field(
        pattern=ADAPTER_NAME, max_length=128, description="The adapter's name in `model` of requests."
    )
    lora_path: str = Field(min_length=1, max_length=4096, description="Folder of the LLM service, or Hub ID.")
    load_inplace: bool = Field(False, description="Replace the adapter that is loaded under this name.")


class UnloadAdapterRequest(WireModel):
    """A LoRA adapter to unload."""

    model_config = ConfigDict(json_schema_extra={"example": {"lora_name": "sql"}})

    lora_name: str = Field(min_length=1, max_length=512)
    lora_int_id: int | None = Field(None, description="Accepted as in vLLM's API. It has no effect.")
