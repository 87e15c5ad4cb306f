"""Settings: the only reader of the environment.

Every option is an environment variable with the prefix `RAG_`; sections are joined by two
underscores: `RAG_LLM__MODEL`, `RAG_STORE__URI`. Unknown names stop the start.
"""

from __future__ import annotations

import difflib
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
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
    adapters: dict[str, str] = Field(
        default_factory=dict,
        description='JSON: LoRA adapters by name, folders or hub ids: {"sql": "/models/sql"}.',
    )
    runtime_adapters: bool = Field(
        False, description="Let /v1/load_lora_adapter and /v1/unload_lora_adapter load and unload adapters."
    )
    tool_parser: str | None = Field(
        None,
        description="vLLM's parser of the model's tool calls, such as hermes, for tool_choice auto.",
    )
    url: str | None = Field(
        None,
        description="An OpenAI-compatible server that writes in place of an engine here, such as http://host:8000/v1.",
    )
    api_key: SecretStr | None = Field(None, description="Key of that server.")
    tokenizer: str | None = Field(
        None, description="Hub id or folder of the tokenizer of that server's model; unset: tokens are estimated."
    )
    context_tokens: int | None = Field(
        None, ge=256, description="Context of that server's model; unset: what it says, or 8192."
    )
    timeout_s: float = Field(60.0, gt=0, description="Seconds of silence from that server after which it is given up.")
    service_url: str | None = Field(None, description="Address of an LLM service of this bundle that runs elsewhere.")
    restarts: int = Field(3, ge=0, description="Times a dead engine is rebuilt before the process gives up and exits.")

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://unset")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("is not an address such as http://host:8000/v1; a key belongs in RAG_LLM__API_KEY")
        return url

    @field_validator("api_key")
    @classmethod
    def _can_be_sent(cls, key: SecretStr | None) -> SecretStr | None:
        if key and not (key.get_secret_value().isascii() and key.get_secret_value().strip().isprintable()):
            raise ValueError("has characters that no key has")
        return key

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        """An option that nothing would read is a mistake."""
        engines = ("engine", "adapters", "runtime_adapters", "tool_parser")
        others = ("api_key", "tokenizer", "context_tokens")
        for name in others if self.url is None else engines:
            if getattr(self, name):
                option = f"RAG_LLM__{name.upper()}"
                why = "needs RAG_LLM__URL" if self.url is None else "is for an engine here, and RAG_LLM__URL is set"
                raise ValueError(f"{option} {why}")
        return self


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
    sparse_model: str | None = Field(
        None,
        description="Hub id or folder of a sentence-transformers SparseEncoder (SPLADE, ...): a third search path for "
        "vector stores made, or reindexed, from then on.",
    )
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
    language: str = Field(
        "english",
        pattern=r"^[a-z]*$",
        description="Language whose endings and stop words the keyword path leaves out; empty: words as they are.",
    )
    dense_index: str = Field("AUTOINDEX", description="Milvus index of the dense vectors: HNSW, IVF_FLAT, DISKANN, ...")
    dense_metric: Literal["COSINE", "IP", "L2"] = Field(
        "IP", description="How dense vectors are compared; they have length 1, so all three find the same."
    )
    dense_build: dict[str, Any] = Field(
        default_factory=dict, description='JSON: parameters of building that index, such as {"M": 16}.'
    )
    dense_search: dict[str, Any] = Field(
        default_factory=dict, description='JSON: parameters of searching it, such as {"ef": 128}.'
    )
    keyword_index: Literal["SPARSE_INVERTED_INDEX", "SPARSE_WAND", "AUTOINDEX"] = Field(
        "SPARSE_INVERTED_INDEX", description="Milvus index of the keyword path."
    )
    keyword_build: dict[str, Any] = Field(
        default_factory=lambda: {"bm25_k1": 0.9, "bm25_b": 0.4},
        description="JSON: parameters of BM25 and of building that index.",
    )
    sparse_index: Literal["SPARSE_INVERTED_INDEX", "SPARSE_WAND", "AUTOINDEX"] = Field(
        "SPARSE_INVERTED_INDEX", description="Milvus index of learned sparse vectors."
    )
    sparse_build: dict[str, Any] = Field(default_factory=dict, description="JSON: parameters of building that index.")


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
    questions: int = Field(
        0,
        ge=0,
        le=8,
        description="Question-answer pairs that the language model makes of each passage, to be found by questions.",
    )
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
    mode: Literal["hybrid", "dense", "keyword", "sparse"] = Field("hybrid", description="Search paths that are used.")
    candidates: int = Field(20, ge=1, le=1000, description="Chunks fetched from each path before fusion.")
    fusion: Literal["weights", "rrf"] = Field(
        "weights", description="How paths become one list: weights of normalised scores, or reciprocal ranks."
    )
    weights: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field(
        default_factory=lambda: {"dense": 1.0, "keyword": 1.25},
        description="JSON: weight of each path, relative to the others; a path that is not named: 1; 0 leaves it out.",
    )
    rrf_k: int = Field(60, ge=1, le=1000, description="Constant of reciprocal rank fusion.")
    duplicates: float = Field(
        0.9, ge=0, le=1, description="Passages this much alike become one hit; 1: only those with the same words."
    )
    paths: dict[str, str] = Field(
        default_factory=dict,
        description='JSON: search paths of your own, such as {"names": "my_package.trie:NamePath"}.',
    )
    min_cosine: float = Field(0.3, ge=-1, le=1, description="Best cosine below which nothing relevant was found.")
    url: str | None = Field(None, description="Address of a Retriever service of this bundle that runs elsewhere.")


class RerankSettings(Section):
    """A second look at the best hits, question and passage together."""

    on: bool = Field(False, description="Rerank unless the request or the vector store says otherwise.")
    kind: Literal["late_interaction", "cross_encoder", "remote"] = Field(
        "late_interaction",
        description="late_interaction: token vectors of the encoder; cross_encoder: a model; remote: an endpoint.",
    )
    model: str | None = Field(None, description="Hub id or folder of a CrossEncoder, or the remote model's name.")
    url: str | None = Field(None, description="Rerank endpoint, such as https://host/v1/rerank, for kind remote.")
    api_key: SecretStr | None = Field(None, description="Key of that endpoint.")
    timeout_s: float = Field(10.0, gt=0, description="Seconds that reranking may take.")
    top_n: int = Field(30, ge=1, le=200, description="Best hits that are reranked.")
    weight: float = Field(0.5, ge=0, le=1, description="Weight of the reranker's score; the rest is that of fusion.")
    cache_mib: int = Field(128, ge=0, description="MiB of passages' token vectors that late interaction keeps.")

    @property
    def cross_encoder(self) -> str | None:
        """The model, where the configured way needs one here.

        Raises:
            SetupError: it does, and there is none.
        """
        if self.kind != "cross_encoder":
            return None
        if self.model is None:
            message = "RAG_RERANK__MODEL: is not set, and RAG_RERANK__KIND=cross_encoder needs a model"
            raise SetupError(message, param="RAG_RERANK__MODEL")
        return self.model


class PromptSettings(Section):
    """The words around a question and its passages."""

    folder: Path | None = Field(
        None, description="Folder with templates of your own: system.jinja, user.jinja; what it lacks is the default."
    )
    fence: bool = Field(
        True, description="Mark passages as data that holds no instructions, with a mark that no document can know."
    )
    citations: Literal["check", "verify", "off"] = Field(
        "check",
        description="check: remove marks that point nowhere; verify: score cited sentences, too; off: text as it is.",
    )
    weak_below: float = Field(
        0.5, ge=0, le=1, description="Score of a cited sentence against its source below which it counts as weak."
    )


class PlanSettings(Section):
    """What the language model does with a question before it is searched for."""

    rewrite: bool = Field(False, description="Make a follow-up question stand alone, from the conversation's history.")
    queries: int = Field(0, ge=0, le=5, description="More queries made of each question, searched beside it.")
    hypothetical: bool = Field(False, description="Search with an answer that the model invents as well (HyDE).")
    timeout_s: float = Field(3.0, gt=0, description="Seconds for all that; then the question is searched as it is.")


class CacheSettings(Section):
    """Answers to questions that were asked before."""

    retrievals: bool = Field(True, description="Keep what searches found, until the vector store changes.")
    answers: bool = Field(False, description="Keep whole answers of temperature 0, too.")
    semantic: float | None = Field(
        None, ge=0.5, le=1, description="Cosine from which questions count as the same; unset: only equal ones do."
    )
    ttl_s: float = Field(3600.0, gt=0, description="Seconds after which an entry is forgotten.")
    max_mib: int = Field(64, ge=1, description="MiB of entries kept in memory; the oldest go first.")
    url: SecretStr | None = Field(None, description="redis://host:6379/0, shared by replicas; unset: in memory.")


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
    rerank: RerankSettings = RerankSettings()
    prompt: PromptSettings = PromptSettings()
    plan: PlanSettings = PlanSettings()
    cache: CacheSettings = CacheSettings()
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
            f"RAG_{'__'.join(str(p) for p in e['loc']).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_input=False)
        ]
        raise SetupError("; ".join(lines)) from error
    except SettingsError as error:
        name = next(filter(_is_bad_json, option_names()), "RAG_LLM__ENGINE")
        raise SetupError(f"{name}: is not a JSON object", param=name) from error


def _is_bad_json(name: str) -> bool:
    """Whether an option that takes a JSON object is set to something else."""
    default = next(default for known, default, _ in _defaults() if known == name)
    if not isinstance(default, dict) or name not in os.environ:
        return False
    try:
        return not isinstance(json.loads(os.environ[name]), dict)
    except ValueError:
        return True


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
    return [(name, _shown(default), description) for name, default, description in _defaults()]


def _defaults() -> list[tuple[str, Any, str]]:
    rows: list[tuple[str, Any, str]] = []
    for name, info in Settings.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, Section):
            rows += [_option(f"RAG_{name}__{option}", field) for option, field in section.model_fields.items()]
        else:
            rows.append(_option(f"RAG_{name}", info))
    return rows


def _option(name: str, field: FieldInfo) -> tuple[str, Any, str]:
    return name.upper(), field.get_default(call_default_factory=True), field.description or ""


def _shown(default: Any) -> str:
    if default in (None, {}):
        return ""
    return json.dumps(default) if isinstance(default, dict) else str(default)
