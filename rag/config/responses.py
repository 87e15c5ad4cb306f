"""Options of kept responses, chat completions and conversations: `RAG_RESPONSES__...`."""

from __future__ import annotations

from pydantic import Field, SecretStr

from rag.config.section import Section


class ResponseSettings(Section):
    """Responses, chat completions and conversations in the catalog, so that they can be retrieved and continued."""

    store: bool = Field(
        True,
        description="Keep responses, as OpenAI does, unless a request has `store: false`. false: nothing is kept, and "
        "`store: true` and conversations are refused.",
    )
    retention_days: int = Field(
        30,
        ge=1,
        le=3_650,
        description="Days after which a kept response or chat completion is erased, and a conversation that nothing "
        "was added to.",
    )
    background_at_once: int = Field(
        4,
        ge=1,
        le=1_000,
        description="Responses with `background: true` that each replica of the edge generates at the same time. They "
        "come after all other requests in the language model's queue.",
    )
    background_timeout_s: float = Field(
        3_600.0,
        gt=0,
        description="Time limit of such a response in seconds, from when it begins.",
    )
    compaction_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret with which compacted conversations are encrypted; at least 32 random characters. Unset: a "
        "key that the service makes and keeps with its files. What was encrypted with another key cannot be opened.",
    )
    compaction_timeout_s: float = Field(
        60.0,
        gt=0,
        description="Time limit in seconds of the summary that a compaction makes. Without a summary, only the newest "
        "turns are kept.",
    )
