"""The settings of the service, and the only module that reads them from the environment.

Every option is an environment variable with the prefix `RAG_`; a section and its option are joined by two underscores:
`RAG_LLM__MODEL`, `RAG_STORE__URI`. A variable with this prefix that is not an option stops the service from starting.
Without any variable the settings are valid, since `bentoml build` imports the service (docs/bentoml_issues.md#b21).
"""

from __future__ import annotations

import difflib
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from rag.errors import SetupError

EMBEDDED_ENCODER = "all-MiniLM-L6-v2"
"""Name of the encoder that is installed with the bundle."""


class Section(BaseModel):
    """A group of options with a common prefix, such as `RAG_LLM__`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LLMSettings(Section):
    """The language model: an engine in this service, or a server elsewhere."""

    model: str | None = Field(
        None, description="Hub id or local folder of the model; unset: the embedded SmolLM2-135M-Instruct."
    )
    engine: dict[str, JsonValue] = Field(
        default_factory=dict, description="Engine arguments: any field of vLLM's AsyncEngineArgs, by its own name."
    )
    max_tokens: int = Field(512, ge=1, description="Maximum tokens of an answer, unless the request sets it.")
    temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature, unless the request sets it.")
    stop_repetition: bool = Field(True, description="End an answer that repeats the same text four times in a row.")
    cpu_kv_cache_gib: int = Field(1, ge=1, description="Size of the key-value cache in GiB when there is no GPU.")
    adapters: dict[str, str] = Field(
        default_factory=dict,
        description='JSON: LoRA adapters, each with its folder or hub id: {"sql": "/models/sql"}.',
    )
    runtime_adapters: bool = Field(
        False,
        description="Allow adapters to be loaded and unloaded by /v1/load_lora_adapter and /v1/unload_lora_adapter.",
    )
    tool_parser: str | None = Field(
        None,
        description="vLLM's parser for the model's tool calls, such as hermes; required for tool_choice auto.",
    )
    url: str | None = Field(
        None,
        description="An OpenAI-compatible server to use instead of an engine, such as http://host:8000/v1.",
    )
    api_key: SecretStr | None = Field(None, description="API key of that server.")
    tokenizer: str | None = Field(
        None, description="Hub id or folder of the tokenizer of that server's model; unset: token counts are estimated."
    )
    context_tokens: int | None = Field(
        None,
        ge=256,
        description="Context length of that server's model in tokens; unset: what the server reports, else 8192.",
    )
    timeout_s: float = Field(
        60.0, gt=0, description="Seconds without data from that server after which a request fails."
    )
    service_url: str | None = Field(None, description="URL of an LLM service of this bundle that runs elsewhere.")
    restarts: int = Field(3, ge=0, description="Attempts in a row to restart a dead engine before the process exits.")

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://unset")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("must be a URL such as http://host:8000/v1; a key belongs in RAG_LLM__API_KEY")
        return url

    @field_validator("api_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key and not (key.get_secret_value().isascii() and key.get_secret_value().strip().isprintable()):
            raise ValueError("must be printable ASCII")
        return key

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        """Refuse options that would have no effect."""
        of_the_engine = ("engine", "adapters", "runtime_adapters", "tool_parser")
        of_a_server = ("api_key", "tokenizer", "context_tokens")
        for name in of_a_server if self.url is None else of_the_engine:
            if getattr(self, name):
                option = f"RAG_LLM__{name.upper()}"
                reason = "requires RAG_LLM__URL" if self.url is None else "cannot be combined with RAG_LLM__URL"
                raise ValueError(f"{option} {reason}")
        return self


class EmbedderSettings(Section):
    """The encoder, which turns questions and passages into vectors."""

    model: str | None = Field(
        None, description="Hub id or local folder of the model; unset: the embedded all-MiniLM-L6-v2."
    )
    query_prefix: str | None = Field(
        None, description="Prefix of every question; unset: the one that the model is known to need."
    )
    passage_prefix: str | None = Field(
        None, description="Prefix of every passage; unset: the one that the model is known to need."
    )
    batch_size: int = Field(32, ge=1, le=1024, description="Maximum texts in one batch.")
    threads: int | None = Field(None, ge=1, description="CPU threads for encoding passages; unset: all cores.")
    device: str | None = Field(None, description="torch device, such as cpu or cuda:0; unset: chosen by torch.")
    sparse_model: str | None = Field(
        None,
        description="Hub id or folder of a sentence-transformers SparseEncoder (SPLADE, ...): adds a third search path "
        "to vector stores that are created or reindexed from then on.",
    )
    url: str | None = Field(None, description="URL of an Embedder service of this bundle that runs elsewhere.")


class StoreSettings(Section):
    """Milvus, which stores the vectors: a file (Milvus Lite) or a server."""

    uri: str | None = Field(
        None, description="A .db file, or the URL of a Milvus server; unset: milvus.db in the data folder."
    )
    token: SecretStr | None = Field(None, description="user:password or API key of a Milvus server.")
    prefix: str = Field(
        "rag_", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,31}$", description="Prefix of the names of all collections."
    )
    timeout_s: float = Field(30.0, gt=0, description="Timeout of one call to Milvus in seconds.")
    language: str = Field(
        "english",
        pattern=r"^[a-z]*$",
        description="Language for stemming and stop words in keyword search; empty: neither.",
    )
    dense_index: str = Field("AUTOINDEX", description="Milvus index of dense vectors: HNSW, IVF_FLAT, DISKANN, ...")
    dense_metric: Literal["COSINE", "IP", "L2"] = Field(
        "IP", description="Metric of dense vectors. They have length 1, so all three find the same."
    )
    dense_build: dict[str, JsonValue] = Field(
        default_factory=dict, description='JSON: build parameters of that index, such as {"M": 16}.'
    )
    dense_search: dict[str, JsonValue] = Field(
        default_factory=dict, description='JSON: search parameters of that index, such as {"ef": 128}.'
    )
    keyword_index: Literal["SPARSE_INVERTED_INDEX", "SPARSE_WAND", "AUTOINDEX"] = Field(
        "SPARSE_INVERTED_INDEX", description="Milvus index for keyword search."
    )
    keyword_build: dict[str, JsonValue] = Field(
        default_factory=lambda: dict[str, JsonValue]({"bm25_k1": 0.9, "bm25_b": 0.4}),
        description="JSON: BM25 parameters and build parameters of that index.",
    )
    sparse_index: Literal["SPARSE_INVERTED_INDEX", "SPARSE_WAND", "AUTOINDEX"] = Field(
        "SPARSE_INVERTED_INDEX", description="Milvus index of learned sparse vectors."
    )
    sparse_build: dict[str, JsonValue] = Field(
        default_factory=dict, description="JSON: build parameters of that index."
    )


class IngestSettings(Section):
    """How documents are read and split into chunks."""

    chunk_chars: int = Field(
        512,
        ge=64,
        le=16383,
        description="Maximum characters of a chunk, unless the vector store or the upload sets it.",
    )
    overlap: float = Field(
        0.1, ge=0, le=0.5, description="Fraction of a chunk that repeats the end of the previous chunk."
    )
    max_file_mib: int = Field(32, ge=1, description="Maximum size of an uploaded file in MiB.")
    max_request_mib: int = Field(128, ge=1, description="Maximum size of one upload with all its files in MiB.")
    jobs: int = Field(4, ge=1, le=64, description="Ingest jobs that run at the same time; they share the encoder.")
    parse_timeout_s: float = Field(120.0, gt=0, description="Time limit for reading one file in seconds.")
    parse_memory_mib: int = Field(1024, ge=64, description="Memory limit for reading one file in MiB.")
    questions: int = Field(
        0,
        ge=0,
        le=8,
        description="Question-answer pairs that the language model writes for each passage, to match questions.",
    )
    ocr: str = Field(
        "",
        pattern=r"^[a-zA-Z_+/]*$",
        description="Languages for OCR of scanned pages, such as eng+deu; requires Tesseract.",
    )


class CatalogSettings(Section):
    """The SQL database of documents, their versions and jobs."""

    url: str | None = Field(
        None,
        description="URL of a PostgreSQL database (postgresql://user:password@host/name), which replicas can share; "
        "unset: SQLite files in the data folder.",
    )


class RetrieveSettings(Section):
    """How passages are searched and ranked."""

    top_k: int = Field(4, ge=1, le=100, description="Passages given to the language model, unless the request sets it.")
    mode: Literal["hybrid", "dense", "keyword", "sparse"] = Field(
        "hybrid", description="Search paths to use; hybrid: all that the vector store has."
    )
    candidates: int = Field(20, ge=1, le=1000, description="Chunks fetched from each search path before fusion.")
    fusion: Literal["weights", "rrf"] = Field(
        "weights",
        description="Fusion of the search paths: weighted sum of normalised scores, or reciprocal rank fusion.",
    )
    weights: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field(
        default_factory=lambda: {"dense": 1.0, "keyword": 1.25},
        description="JSON: relative weight of each search path; default 1; 0 excludes the path.",
    )
    rrf_k: int = Field(60, ge=1, le=1000, description="The constant k of reciprocal rank fusion.")
    duplicates: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Similarity from which passages are merged into one hit; 1: only if they have the same words.",
    )
    paths: dict[str, str] = Field(
        default_factory=dict,
        description='JSON: custom search paths, such as {"names": "my_package.trie:NamePath"}.',
    )
    min_cosine: float = Field(
        0.3,
        ge=-1,
        le=1,
        description="If no passage has this cosine or is an exact match, nothing relevant was found.",
    )
    url: str | None = Field(None, description="URL of a Retriever service of this bundle that runs elsewhere.")


class RerankSettings(Section):
    """Reranking: a slower and better model orders the best hits again."""

    on: bool = Field(False, description="Whether to rerank, unless the request or the vector store sets it.")
    kind: Literal["late_interaction", "cross_encoder", "remote"] = Field(
        "late_interaction",
        description="late_interaction: token vectors of the encoder; cross_encoder: a model; remote: an endpoint.",
    )
    model: str | None = Field(None, description="Hub id or folder of a CrossEncoder, or the name of the remote model.")
    url: str | None = Field(
        None, description="URL of the rerank endpoint for kind remote, such as https://host/v1/rerank."
    )
    api_key: SecretStr | None = Field(None, description="API key of that endpoint.")
    timeout_s: float = Field(10.0, gt=0, description="Time limit of reranking in seconds.")
    top_n: int = Field(30, ge=1, le=200, description="Number of hits to rerank.")
    weight: float = Field(0.5, ge=0, le=1, description="Weight of the reranker's score against the score of fusion.")
    cache_mib: int = Field(128, ge=0, description="Size in MiB of late interaction's cache of token vectors.")

    @property
    def cross_encoder(self) -> str | None:
        """The model to load; None if `kind` is not `cross_encoder`.

        Raises:
            SetupError: `kind` is `cross_encoder`, and no model is set.
        """
        if self.kind != "cross_encoder":
            return None
        if self.model is None:
            message = "RAG_RERANK__MODEL: is not set, but RAG_RERANK__KIND=cross_encoder requires a model"
            raise SetupError(message, param="RAG_RERANK__MODEL")
        return self.model


class PromptSettings(Section):
    """The prompt: templates, and how the answer cites its sources."""

    folder: Path | None = Field(
        None,
        description="Folder of custom templates: system.jinja, user.jinja, quote.jinja; missing ones are the defaults.",
    )
    style: Literal["auto", "written", "quoted"] = Field(
        "auto",
        description="written: the language model answers in its own words; quoted: it only quotes the documents; auto: "
        "quoted with the embedded language model, written with any other.",
    )
    min_confidence: float = Field(
        0.35,
        ge=0,
        le=1,
        description="A quoted answer says that nothing was found if its best quote is less confident; 0: never.",
    )
    fence: bool = Field(
        True, description="Mark passages as data without instructions, using a marker that no document can guess."
    )
    citations: Literal["check", "verify", "off"] = Field(
        "check",
        description="check: remove citations of missing sources; verify: also score cited sentences; off: neither.",
    )
    weak_below: float = Field(
        0.5, ge=0, le=1, description="Score below which a cited sentence counts as weakly supported by its source."
    )


class PlanSettings(Section):
    """Query planning: the language model changes a question before the search."""

    rewrite: bool = Field(
        False, description="Rewrite a follow-up question as a standalone one, using the conversation's history."
    )
    queries: int = Field(
        0,
        ge=0,
        le=5,
        description="Number of additional queries that are generated from each question and searched as well.",
    )
    hypothetical: bool = Field(False, description="Search with a hypothetical answer as well (HyDE).")
    timeout_s: float = Field(
        3.0, gt=0, description="Time limit of planning in seconds; afterwards the question is searched as asked."
    )


class CacheSettings(Section):
    """Caches of search results and answers."""

    retrievals: bool = Field(True, description="Cache search results until the vector store changes.")
    answers: bool = Field(False, description="Cache answers of temperature 0 as well.")
    semantic: float | None = Field(
        None,
        ge=0.5,
        le=1,
        description="Cosine from which two questions count as the same; unset: only identical questions do.",
    )
    ttl_s: float = Field(3600.0, gt=0, description="Seconds after which an entry expires.")
    max_mib: int = Field(
        64, ge=1, description="Size of the cache in memory in MiB; the least recently used entries are evicted."
    )
    url: SecretStr | None = Field(
        None,
        description="URL of a Redis server that replicas share, such as redis://host:6379/0; unset: a cache in memory.",
    )


class ServerSettings(Section):
    """Limits and deadlines of the HTTP server."""

    max_in_flight: int = Field(1024, ge=1, description="Maximum concurrent requests; more are answered with 429.")
    max_body_mib: int = Field(4, ge=1, description="Maximum size of a JSON body in MiB.")
    keep_alive_s: float = Field(
        10.0, gt=0, le=15, description="Seconds without an event after which a stream sends a keep-alive comment."
    )
    answer_timeout_s: float = Field(
        600.0, gt=0, description="Time limit of an answer in seconds, from its request to its last token."
    )
    retrieve_timeout_s: float = Field(30.0, gt=0, description="Time limit of a search in seconds.")
    drain_timeout_s: float = Field(
        600.0, gt=0, description="Seconds that requests in flight may take to finish after SIGTERM."
    )
    hosts: str = Field(
        "",
        description="Host names at which clients reach the service, separated by commas, besides localhost and IP "
        "addresses; `.example.org` stands for all names below it, `*` for all names (where a gateway decides).",
    )
    origins: str = Field(
        "",
        description="Origins, such as https://intranet.example, whose web pages may call the API (CORS), separated by "
        "commas; `*`: all.",
    )
    tracing: bool = Field(False, description="Record OpenTelemetry spans; useful only if BentoML has an exporter.")
    access_log: bool = Field(True, description="Log one line for each request on stderr.")
    log_format: Literal["text", "json"] = Field("text", description="Format of the log: lines of text or of JSON.")

    @cached_property
    def host_names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in _listed(self.hosts))

    @cached_property
    def allowed_origins(self) -> frozenset[str]:
        return frozenset(origin.rstrip("/") for origin in _listed(self.origins))


def _listed(text: str) -> list[str]:
    return [part for part in map(str.strip, text.split(",")) if part]


class Settings(BaseSettings):
    """All options. `load()` reads them from the environment and reports errors in one message."""

    model_config = SettingsConfigDict(
        env_prefix="RAG_", env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True
    )

    data_dir: Path = Field(Path(".data"), description="Folder for all data: documents, databases, converted models.")
    url: str = Field("http://localhost:3000", description="URL at which the command line finds the service.")
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
        """Database of the job engine. With SQLite, which allows one writer per file, it is a file of its own."""
        return self.catalog.url or f"sqlite:///{self.data_dir.absolute() / 'jobs.db'}"

    @cached_property
    def blobs_dir(self) -> Path:
        return self.data_dir.absolute() / "files"


def load() -> Settings:
    """Settings from the environment.

    Raises:
        SetupError: a variable is not an option (names the most similar one), or its value is invalid.
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
        raise SetupError(f"{name}: must be a JSON object", param=name) from error


def _is_bad_json(name: str) -> bool:
    """Whether this option takes a JSON object and is set to something else."""
    default = next(option.default for option in _options() if option.name == name)
    if not isinstance(default, dict) or name not in os.environ:
        return False
    try:
        return not isinstance(json.loads(os.environ[name]), dict)
    except ValueError:
        return True


def option_names() -> list[str]:
    """The names of all options. vLLM's engine arguments have names of their own behind `RAG_LLM__ENGINE__`."""
    return [name for name, _, _ in options()]


def _refuse_unknown_names() -> None:
    known = option_names()
    if "RAG_LLM__ENGINE" in os.environ and any(name.upper().startswith("RAG_LLM__ENGINE__") for name in os.environ):
        raise SetupError("set either RAG_LLM__ENGINE (JSON) or one RAG_LLM__ENGINE__... per argument, not both")
    for name in os.environ:
        upper = name.upper()
        if not upper.startswith("RAG_") or upper in known or upper.startswith("RAG_LLM__ENGINE__"):
            continue
        similar = difflib.get_close_matches(upper, known, n=1)
        hint = f"; did you mean {similar[0]}?" if similar else ""
        raise SetupError(f"{name} is not an option of this service{hint}", param=name)


def options() -> list[tuple[str, str, str]]:
    """Every option as (name, default, description), in the order of the sections. The table of the docs."""
    return [(option.name, _shown(option.default), option.description) for option in _options()]


class _Option(NamedTuple):
    name: str
    default: object
    description: str


def _options() -> list[_Option]:
    rows: list[_Option] = []
    for name, info in Settings.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, Section):
            rows += [_option(f"RAG_{name}__{option}", field) for option, field in section.model_fields.items()]
        else:
            rows.append(_option(f"RAG_{name}", info))
    return rows


def _option(name: str, field: FieldInfo) -> _Option:
    return _Option(name.upper(), field.get_default(call_default_factory=True), field.description or "")


def _shown(default: object) -> str:
    if default is None or default == {}:
        return ""
    return json.dumps(default) if isinstance(default, dict) else str(default)
