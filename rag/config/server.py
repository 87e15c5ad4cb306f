"""Options of the HTTP server: `RAG_SERVER__...`."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from rag.config.section import Section, listed

_MIN_KEY_CHARS = 32
_KEY = re.compile(r"[!-~]+")


class ServerSettings(Section):
    """Limits, deadlines and access of the HTTP server."""

    max_in_flight: int = Field(1024, ge=1, description="Maximum concurrent requests; more are answered with 429.")
    caller_turns: int | None = Field(
        None,
        ge=1,
        description="Requests of one caller that are worked on at the same time while other callers are active, up to "
        "the start of the answer; by default half the number of cores, at least 1.",
    )
    max_connections: int = Field(4096, ge=1, description="Maximum open connections; more are answered with 503.")
    max_websockets: int = Field(
        64, ge=1, description="Maximum open WebSockets of one caller at an edge; more are refused with 429."
    )
    request_timeout_s: float = Field(
        30.0, gt=0, description="Seconds that a client may take for the headers of a request, or pause within its body."
    )
    idle_timeout_s: float = Field(
        75.0,
        ge=5,
        description="Seconds that an open connection may wait for its next request. It must be longer than the idle "
        "timeout of a proxy in front of the service, which would otherwise use closed connections.",
    )
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
    admin_key: SecretStr | None = Field(
        None,
        description="An API key with the scope admin, at least 32 characters: the first key, which makes the others.",
    )
    service_key: SecretStr | None = Field(
        None,
        description="Text that the services send to each other, the same for all, at least 32 characters; needed where "
        "other machines can connect to an inner service.",
    )
    open: bool = Field(
        False,
        description="Serve requests without API keys, from other machines too: only where a gateway authenticates.",
    )
    otlp_endpoint: str | None = Field(
        None,
        description="Base URL of an OpenTelemetry collector that receives traces (OTLP over HTTP), such as "
        "http://localhost:4318; by default `OTEL_EXPORTER_OTLP_ENDPOINT`. Without either there are no traces.",
    )
    trace_texts: bool = Field(False, description="Record the texts of questions, chat messages and answers in traces.")
    access_log: bool = Field(True, description="Log one line for each request on stderr.")
    log_format: Literal["text", "json"] = Field("text", description="Format of the log: lines of text or of JSON.")

    @field_validator("admin_key", "service_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        value = "" if key is None else key.get_secret_value()
        if key is not None and (len(value) < _MIN_KEY_CHARS or not _KEY.fullmatch(value)):
            raise ValueError(f"must be at least {_MIN_KEY_CHARS} printable ASCII characters without spaces")
        return key

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if self.open and self.admin_key is not None:
            raise ValueError("RAG_SERVER__OPEN cannot be combined with RAG_SERVER__ADMIN_KEY: no key would be checked")
        return self

    @cached_property
    def host_names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in listed(self.hosts))

    @cached_property
    def allowed_origins(self) -> frozenset[str]:
        return frozenset(origin.rstrip("/") for origin in listed(self.origins))
