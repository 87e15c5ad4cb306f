"""The tables. `rag/catalog/migrations` creates them; a test compares the two.

The history of a document is a list of versions, one for each accepted change. The states of a version:

    pending -> visible -> retired          normally; `valid_from` and `valid_to` are revisions of the vector store
       |-> failed | cancelled              never becomes visible; the version that was visible before stays visible
       `-> superseded                      a newer version became visible first

A query reads the store's revision R once, and sees the versions with valid_from <= R < valid_to. So it sees one
consistent state, whatever changes meanwhile (multi-version concurrency control).

Some columns have other names in the database than here (`key=`): the names of the first release are kept there, so
that replicas of two releases can share a database.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

VERSION_TABLE = "catalog_version"
"""Written by Alembic: the revision of the schema that a database has."""

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
)


def _tenant() -> Column[str]:
    return Column("tenant", String(64), nullable=False, index=True, default="default", server_default="default")


def _created_by() -> Column[str]:
    """The id of an API key; empty: none."""
    return Column("created_by", String(64), nullable=False, default="", server_default="")


def _read_groups() -> Column[list[str]]:
    """The groups that may read it; null: everyone in the tenant."""
    return Column("read_groups", JSON(none_as_null=True), nullable=True)


def _caller_groups() -> Column[list[str]]:
    """The groups of its caller when something was last added; null: it could read documents of all groups."""
    return Column("caller_groups", JSON(none_as_null=True), nullable=True)


def _caller_stores() -> Column[list[str]]:
    """The vector stores that this caller was limited to; null: all of the tenant."""
    return Column("caller_stores", JSON(none_as_null=True), nullable=True)


def _kept_bytes() -> Column[int]:
    """About what a row and its items take, for the quota."""
    return Column("bytes", BigInteger, nullable=False, default=0, server_default="0")


def _kept_columns() -> tuple[SchemaItem, ...]:
    """What a response, chat completion or conversation has in common: whose it is, and when it is erased."""
    created_at = Column("created_at", Float(53), nullable=False)
    expires_at = Column("expires_at", Float(53), nullable=False, index=True)
    return created_at, expires_at, _tenant(), _created_by(), _caller_groups(), _caller_stores(), _kept_bytes()


BIG_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite generates ids only for a primary key of type INTEGER."""

stores = Table(
    "vector_stores",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(512), nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("metadata", JSON, nullable=False),
    Column("chunking", JSON, nullable=True),
    Column("expires_after_days", Integer, nullable=True),
    Column("created_at", Float(53), nullable=False),
    Column("last_active_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, default=0),
    # Random, new with each revision: it tells apart equal revision numbers of two catalogs, or of a restored backup.
    Column("stamp", String(32), key="nonce", nullable=False, default=""),
    Column("indexes_made", Integer, nullable=False, default=0),
    Column("retrieval", JSON(none_as_null=True), nullable=True),  # null: the service's settings
    _tenant(),
    _created_by(),
    _read_groups(),  # all that a version of a document has or had; null: none, so that nothing needs to be checked
)
Index(None, stores.c.name)

indexes = Table(
    "indexes",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("store_id", String(64), nullable=False, index=True),
    Column("embedder", String(512), nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # active, building, previous, dropping
    Column("created_at", Float(53), nullable=False),
    Column("sparse_embedder", String(512), nullable=False, default="", server_default=""),  # empty: none
)

blobs = Table(
    "blobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),  # original, extract, part
    Column("bytes", BigInteger, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("charset", String(64), nullable=True),  # of an original, by its upload's Content-Type; null: not named
)

files = Table(
    "files",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("filename", String(512), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("blob_id", String(64), nullable=False, index=True),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=True),
    _tenant(),
    _created_by(),
    _read_groups(),
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("filename", String(512), nullable=False),
    Column("created_at", Float(53), nullable=False),
    UniqueConstraint("store_id", "filename"),
)
Index(None, documents.c.store_id, documents.c.created_at)

versions = Table(
    "versions",
    metadata,
    Column("seq", BIG_ID, primary_key=True, autoincrement=True),
    Column("document_id", String(64), nullable=False, index=True),
    Column("store_id", String(64), nullable=False),
    Column("filename", String(512), nullable=False),
    Column("file_id", String(64), nullable=False, index=True),
    Column("blob_id", String(64), nullable=True, index=True),
    Column("extract_id", String(64), nullable=True, index=True),
    Column("content_hash", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("chunking", JSON, nullable=True),
    Column("origin", String(128), nullable=False, default=""),
    Column("attributes_written", JSON, nullable=True),  # those of its rows in Milvus
    Column("generation", BIG_ID, nullable=True),  # orders versions by content; null: `seq`
    Column("state", String(16), nullable=False),
    Column("claimed_by", String(64), nullable=True),  # the job that processes it; other jobs may wait for it
    Column("born", BigInteger, key="valid_from", nullable=True),
    Column("died", BigInteger, key="valid_to", nullable=True),
    Column("removed", Boolean, nullable=False, default=False),  # its file was removed from the document
    Column("dirty", Boolean, nullable=False, default=False),  # Milvus may hold rows of it
    Column("media_type", String(128), nullable=False, default=""),
    Column("title", Text, nullable=False, default=""),
    Column("language", String(64), nullable=False, default=""),
    Column("pages", Integer, nullable=False, default=0),
    Column("chunks", Integer, nullable=False, default=0),
    Column("chunks_done", Integer, nullable=False, default=0),
    Column("error_code", String(64), nullable=True),
    Column("error_message", Text, nullable=True),
    Column("created_at", Float(53), nullable=False),
    Column("finished_at", Float(53), nullable=True),  # when it left `pending`
    Column("died_at", Float(53), key="retired_at", nullable=True),
    Column("warnings", JSON(none_as_null=True), nullable=True),  # what was not read of its file; null: none
    _read_groups(),
    sqlite_autoincrement=True,  # never reuse the number of a deleted row
)
Index(None, versions.c.store_id, versions.c.state)
Index(None, versions.c.dirty, versions.c.state)

index_versions = Table(
    "index_versions",  # which index holds all chunks of which version
    metadata,
    Column("index_id", String(80), primary_key=True),
    Column("seq", BIG_ID, primary_key=True),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("store_id", String(64), nullable=False, index=True),
    Column("state", String(16), nullable=False, index=True),
    Column("idempotency_key", String(255), nullable=True),
    Column("fingerprint", String(64), nullable=False, default=""),
    Column("created_at", Float(53), nullable=False),
    Column("started_at", Float(53), nullable=True),
    Column("finished_at", Float(53), nullable=True),
    Column("heartbeat_at", Float(53), nullable=True),
    Column("alive_at", Float(53), nullable=True),  # when its process last reported that it runs
    Column("step", String(600), nullable=False, default=""),
    Column("waiting_for", Text, nullable=False, default=""),
    Column("chunks_per_s", Float(53), nullable=True),
    Column("error", Text, nullable=True),
    Column("details", JSON, nullable=False),
    Column("forgotten", Boolean, nullable=False, default=False),  # deleted from the job engine
    _tenant(),
    _created_by(),
    UniqueConstraint("tenant", "idempotency_key"),
)

job_files = Table(
    "job_files",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("seq", BIG_ID, nullable=False, index=True),
    Column("change", String(16), nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("stores", JSON(none_as_null=True), nullable=True),  # ids; null: all vector stores of the tenant
    Column("requests_per_minute", Integer, nullable=True),
    Column("limits", JSON(none_as_null=True), nullable=True),  # all others, by name; null: none
    Column("prefix", String(16), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("previous_hash", String(64), nullable=True, index=True),  # of the secret before the last rotation
    Column("previous_until", Float(53), nullable=True),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=True),
    Column("revoked_at", Float(53), nullable=True),
    Column("last_used_at", Float(53), nullable=True),
    Column("groups", JSON(none_as_null=True), nullable=True),  # whose documents it may read; null: none
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", Float(53), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("key_name", String(256), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("route", String(256), nullable=False),
    Column("address", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("error_code", String(64), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("targets", JSON, nullable=False),
    Column("requests", Integer, nullable=False),
)
Index(None, audit_log.c.at, audit_log.c.id)

responses = Table(
    "responses",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("body", JSON, nullable=False),  # OpenAI's object without `output`, whose items are in `items`
    Column("previous_id", String(64), nullable=True),
    *_kept_columns(),
)

background_responses = Table(
    "background_responses",  # the work that a response in the background is; its row in `responses` shows its state
    metadata,
    Column("id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),  # queued, running, ended
    Column("request", JSON, nullable=False),  # the body of the request
    Column("caller", Text, nullable=False),  # as in the header between services
    Column("request_id", String(128), nullable=False),
    Column("streams", Boolean, nullable=False),  # its events are kept
    Column("queued_at", Float(53), nullable=False),
    Column("not_before", Float(53), nullable=False),  # when it may begin
    Column("lease", String(32), nullable=False, default=""),  # a random name of the attempt that is running
    Column("leased_at", Float(53), nullable=True),
    Column("leased_until", Float(53), nullable=True),  # when another attempt may begin
    Column("attempts", Integer, nullable=False, default=0),
    Column("last_number", Integer, nullable=False, default=-1),  # of its events
    Column("event_bytes", BigInteger, nullable=False, default=0),
    Column("tenant", String(64), nullable=False),
    _created_by(),
)
Index(None, background_responses.c.state, background_responses.c.queued_at)
Index(None, background_responses.c.tenant, background_responses.c.created_by, background_responses.c.leased_at)

response_events = Table(
    "response_events",
    metadata,
    Column("response_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(64), nullable=False),
    Column("body", JSON, nullable=False),
)

chat_completions = Table(
    "chat_completions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("body", JSON, nullable=False),  # OpenAI's object; the messages that it answers are in `items`
    Column("metadata", JSON, nullable=False),
    Column("model", String(512), nullable=False),
    *_kept_columns(),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("metadata", JSON, nullable=False),
    *_kept_columns(),
)

items = Table(
    "items",  # of responses, chat completions and conversations: messages, searches
    metadata,
    Column("seq", BIG_ID, primary_key=True, autoincrement=True),
    Column("owner_id", String(64), nullable=False, index=True),  # the response, chat completion or conversation
    Column("id", String(64), nullable=False, index=True),
    Column("is_output", Boolean, nullable=False),
    Column("body", JSON, nullable=False),
)
