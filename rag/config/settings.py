"""All settings, and the paths and URLs that are derived from them.

Without any variable the settings are valid, since `bentoml build` imports the service (docs/bentoml_issues.md#b21).
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.config.audit import AuditSettings
from rag.config.batches import BatchSettings
from rag.config.cache import CacheSettings
from rag.config.embedder import EmbedderSettings
from rag.config.ingest import IngestSettings
from rag.config.jwt import JwtSettings
from rag.config.limits import LimitSettings
from rag.config.llm import LLMSettings
from rag.config.models import ModelSettings
from rag.config.prompt import PromptSettings
from rag.config.responses import ResponseSettings
from rag.config.retrieve import PlanSettings, RerankSettings, RetrieveSettings
from rag.config.server import ServerSettings
from rag.config.store import CatalogSettings, StoreSettings
from rag.config.tools import ToolSettings


class Settings(BaseSettings):
    """All options. `load()` reads them from the environment and reports errors in one message."""

    model_config = SettingsConfigDict(
        env_prefix="RAG_", env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True
    )

    data_dir: Path = Field(Path(".data"), description="Folder for all data: documents, databases, converted models.")
    url: str = Field("http://localhost:3000", description="URL at which the command line finds the service.")
    api_key: SecretStr | None = Field(None, description="API key that the command line and the examples send.")
    llm: LLMSettings = LLMSettings()
    models: ModelSettings = ModelSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    store: StoreSettings = StoreSettings()
    catalog: CatalogSettings = CatalogSettings()
    ingest: IngestSettings = IngestSettings()
    retrieve: RetrieveSettings = RetrieveSettings()
    rerank: RerankSettings = RerankSettings()
    prompt: PromptSettings = PromptSettings()
    plan: PlanSettings = PlanSettings()
    cache: CacheSettings = CacheSettings()
    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    audit: AuditSettings = AuditSettings()
    responses: ResponseSettings = ResponseSettings()
    tools: ToolSettings = ToolSettings()
    batches: BatchSettings = BatchSettings()
    jwt: JwtSettings = JwtSettings()

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if self.server.open and self.jwt.jwks:
            raise ValueError("RAG_SERVER__OPEN cannot be combined with RAG_JWT__JWKS: no token would be checked")
        return self

    @cached_property
    def store_uri(self) -> str:
        return self.store.uri or str(self.data_dir.absolute() / "milvus.db")

    @cached_property
    def catalog_url(self) -> str:
        return self.catalog.url or f"sqlite:///{self.data_dir.absolute() / 'catalog.db'}"

    @cached_property
    def jobs_url(self) -> str:
        """Database of the job engine. With SQLite, which allows one writer per file, it is a file of its own."""
        return self.catalog.url or f"sqlite:///{self.data_dir.absolute() / 'jobs.db'}"

    @cached_property
    def blobs_dir(self) -> Path:
        return self.data_dir.absolute() / "files"
