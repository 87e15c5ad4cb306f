"""Settings: the only reader of the environment.

Every option is an environment variable with the prefix `RAG_`; sections are joined by two
underscores: `RAG_LLM__MODEL`, `RAG_STORE__URI`. Unknown names stop the start.
"""

from __future__ import annotations

import difflib
import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from rag.errors import SetupError

EMBEDDED_ENCODER = "all-MiniLM-L6-v2"
"""The encoder that comes with the bundle, by its name."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LLMSettings(Section):
    """The language model and its engine."""

    model: str | None = Field(None, description="Hub id or local folder; unset: the embedded SmolLM2-135M-Instruct.")
    engine: dict[str, Any] = Field(
        default_factory=dict, description="Any field of vLLM's AsyncEngineArgs, by its own name."
    )
    max_tokens: int = Field(512, ge=1, description="Tokens of an answer unless the request says otherwise.")
    temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature unless the request says otherwise.")
    stop_repetition: bool = Field(True, description="End an answer that says the same thing four times in a row.")
    cpu_kv_cache_gib: int = Field(1, ge=1, description="GiB of memory for the key-value cache when there is no GPU.")
    url: str | None = Field(None, description="Address of an LLM service of this bundle that runs elsewhere.")
    restarts: int = Field(3, ge=0, description="Times a dead engine is rebuilt before the process gives up and exits.")


class EmbedderSettings(Section):
    """The encoder of questions and passages."""

    model: str | None = Field(None, description="Hub id or local folder; unset: the embedded all-MiniLM-L6-v2.")
    query_prefix: str | None = Field(
        None, description="Put before every question; unset: what the model is known to need."
    )
    passage_prefix: str | None = Field(
        None, description="Put before every passage; unset: what the model is known to need."
    )
    batch_size: int = Field(32, ge=1, le=1024, description="Texts encoded together at most.")
    threads: int | None = Field(None, ge=1, description="CPU threads; unset: all cores.")
    device: str | None = Field(None, description="torch device, such as cpu or cuda:0; unset: chosen by torch.")
    url: str | None = Field(None, description="Address of an Embedder service of this bundle that runs elsewhere.")


class StoreSettings(Section):
    """Milvus: a file (Milvus Lite) or a server."""

    uri: str | None = Field(
        None, description="A .db file, or a Milvus server's URL; unset: milvus.db in the data folder."
    )
    token: SecretStr | None = Field(None, description="user:password or API key of a Milvus server.")
    prefix: str = Field(
        "rag_", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,31}$", description="Put before every collection's name."
    )
    timeout_s: float = Field(30.0, gt=0, description="Seconds to wait for one call to Milvus.")


class IngestSettings(Section):
    chunk_chars: int = Field(
        512, ge=64, le=16383, description="Characters in a chunk at most, unless a vector store or file says."
    )
    overlap: float = Field(0.1, ge=0, le=0.5, description="Part of a chunk that repeats the end of the one before.")
    max_file_mib: int = Field(32, ge=1, description="MiB of one uploaded file at most.")
    max_request_mib: int = Field(128, ge=1, description="MiB of one upload with all its files at most.")
    jobs: int = Field(4, ge=1, le=64, description="Jobs in work at the same time; they share the encoder.")
    parse_timeout_s: float = Field(120.0, gt=0, description="Seconds that reading one file may take.")
    parse_memory_mib: int = Field(1024, ge=64, description="MiB of memory that reading one file may take.")
    ocr: str = Field(
        "", pattern=r"^[a-zA-Z_+/]*$", description="Languages of scanned pages, such as eng+deu; needs Tesseract."
    )


class CatalogSettings(Section):
    """Documents, their versions and jobs, in SQL."""

    url: str | None = Field(
        None,
        description="A PostgreSQL database (postgresql://user:password@host/name), which several replicas can share; "
        "unset: SQLite files in the data folder.",
    )


class RetrieveSettings(Section):
    top_k: int = Field(
        4, ge=1, le=100, description="Passages given to the language model unless the request says otherwise."
    )
    mode: Literal["hybrid", "dense", "keyword"] = Field("hybrid", description="Search paths used for answers.")
    candidates: int = Field(20, ge=1, le=1000, description="Chunks fetched from each path before fusion.")
    dense_weight: float = Field(
        0.5, ge=0, le=1, description="Weight of the dense path in fusion; the rest is keyword's."
    )
    min_cosine: float = Field(0.3, ge=-1, le=1, description="Best cosine below which nothing relevant was found.")
    url: str | None = Field(None, description="Address of a Retriever service of this bundle that runs elsewhere.")


class ServerSettings(Section):
    max_in_flight: int = Field(1024, ge=1, description="Requests in work at once; more get 429.")
    max_body_mib: int = Field(4, ge=1, description="MiB of a JSON body at most.")
    keep_alive_s: float = Field(
        10.0, gt=0, le=15, description="Seconds of silence after which a stream sends a comment."
    )
    answer_timeout_s: float = Field(
        600.0, gt=0, description="Seconds an answer may take from its request to its last token."
    )
    retrieve_timeout_s: float = Field(30.0, gt=0, description="Seconds a search may take.")
    drain_timeout_s: float = Field(600.0, gt=0, description="Seconds streams in flight may go on after SIGTERM.")
    tracing: bool = Field(False, description="OpenTelemetry spans; set it where BentoML has an exporter.")
    access_log: bool = Field(True, description="One line on stderr for each request.")


class Settings(BaseSettings):
    """All options. `Settings()` reads the environment; `load()` turns its errors into one message."""

    model_config = SettingsConfigDict(
        env_prefix="RAG_", env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True
    )

    data_dir: Path = Field(Path(".data"), description="Folder of everything that is kept.")
    url: str = Field("http://localhost:3000", description="Where the command line finds the service.")
    llm: LLMSettings = LLMSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    store: StoreSettings = StoreSettings()
    catalog: CatalogSettings = CatalogSettings()
    ingest: IngestSettings = IngestSettings()
    retrieve: RetrieveSettings = RetrieveSettings()
    server: ServerSettings = ServerSettings()

    @cached_property
    def store_uri(self) -> str:
        return self.store.uri or str(self.data_dir.absolute() / "milvus.db")

    @cached_property
    def catalog_url(self) -> str:
        return self.catalog.url or f"sqlite:///{self.data_dir.absolute() / 'catalog.db'}"

    @cached_property
    def jobs_url(self) -> str:
        """Beside the catalog; SQLite has one writer a file, so the two do not share one."""
        return self.catalog.url or f"sqlite:///{self.data_dir.absolute() / 'jobs.db'}"

    @cached_property
    def blobs_dir(self) -> Path:
        return self.data_dir.absolute() / "files"


def load() -> Settings:
    """Settings from the environment.

    Raises:
        SetupError: a name that does not exist (with the nearest that does), or a value out of range.
    """
    _refuse_unknown_names()
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"RAG_{'__'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors(include_input=False)
        ]
        raise SetupError("; ".join(lines)) from error
    except SettingsError as error:
        raise SetupError("RAG_LLM__ENGINE: is not a JSON object", param="RAG_LLM__ENGINE") from error


def option_names() -> list[str]:
    """Every environment variable there is; `RAG_LLM__ENGINE__` stands for all of vLLM's."""
    return [name for name, _, _ in options()]


def _refuse_unknown_names() -> None:
    known = option_names()
    if "RAG_LLM__ENGINE" in os.environ and any(name.upper().startswith("RAG_LLM__ENGINE__") for name in os.environ):
        raise SetupError("set either RAG_LLM__ENGINE (JSON) or RAG_LLM__ENGINE__NAME for each argument, not both")
    for name in os.environ:
        upper = name.upper()
        if not upper.startswith("RAG_") or upper in known or upper.startswith("RAG_LLM__ENGINE__"):
            continue
        near = difflib.get_close_matches(upper, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SetupError(f"{name} is not an option of this service{hint}", param=name)


def options() -> list[tuple[str, str, str]]:
    """Every option as (name, default, description), in the order of the sections; the table of the docs."""
    rows: list[tuple[str, str, str]] = []
    for name, info in Settings.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, Section):
            rows += [_option(f"RAG_{name}__{option}", field) for option, field in section.model_fields.items()]
        else:
            rows.append(_option(f"RAG_{name}", info))
    return rows


def _option(name: str, field: FieldInfo) -> tuple[str, str, str]:
    default = field.get_default(call_default_factory=True)
    return name.upper(), "" if default in (None, {}) else str(default), field.description or ""
