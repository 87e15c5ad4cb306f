"""Options come from the environment, and a wrong one stops the start with a message that helps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rag import config
from rag.config import Section, Settings
from rag.errors import SetupError


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("RAG_"):
            monkeypatch.delenv(name)


def set_options(monkeypatch: pytest.MonkeyPatch, **options: str) -> None:
    for name, value in options.items():
        monkeypatch.setenv(name, value)


def options_of(model: type[BaseModel], prefix: str = "RAG_") -> Iterator[tuple[str, FieldInfo]]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from options_of(info.annotation, f"{prefix}{name}__".upper())
        else:
            yield f"{prefix}{name}".upper(), info


def test_an_empty_environment_is_enough() -> None:
    """docs/bentoml_issues.md#b21: `bentoml build` imports the service."""
    settings = config.load()
    assert settings.llm.model is None
    assert Path(settings.store_uri) == Path(".data/milvus.db").absolute()


@pytest.mark.parametrize(("name", "info"), list(options_of(Settings)), ids=[name for name, _ in options_of(Settings)])
def test_every_option_is_described_in_a_sentence(name: str, info: FieldInfo) -> None:
    assert info.description
    assert info.description.endswith(".")


def test_the_names_of_options_are_those_of_the_fields() -> None:
    assert sorted(config.option_names()) == sorted(name for name, _ in options_of(Settings))
    assert "RAG_STORE__URI" in config.option_names()


def test_options_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(
        monkeypatch, RAG_DATA_DIR="/data", RAG_LLM__MODEL="org/model", RAG_RETRIEVE__MODE="dense",
        RAG_SERVER__ACCESS_LOG="0", rag_retrieve__top_k="7",
    )  # fmt: skip
    settings = config.load()
    assert (settings.data_dir, settings.llm.model, settings.retrieve.mode) == (Path("/data"), "org/model", "dense")
    assert (settings.server.access_log, settings.retrieve.top_k) == (False, 7)
    assert settings.store_uri == "/data/milvus.db"


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(monkeypatch, RAG_LLM__MODEL="", RAG_RETRIEVE__TOP_K="")
    assert (config.load().llm.model, config.load().retrieve.top_k) == (None, 4)


@pytest.mark.parametrize(
    ("name", "value", "engine"),
    [
        ("RAG_LLM__ENGINE__MAX_MODEL_LEN", "4096", {"max_model_len": "4096"}),
        ("RAG_LLM__ENGINE__COMPILATION_CONFIG__LEVEL", "3", {"compilation_config": {"level": "3"}}),
        ("RAG_LLM__ENGINE", '{"dtype": "float16"}', {"dtype": "float16"}),
    ],
)
def test_engine_arguments_are_taken_by_any_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, engine: dict[str, object]
) -> None:
    set_options(monkeypatch, **{name: value})
    assert config.load().llm.engine == engine


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RAG_LLM__MODLE", "RAG_LLM__MODEL"),
        ("RAG_STORE_URI", "RAG_STORE__URI"),
        ("RAG_RETRIEVE__TOPK", "RAG_RETRIEVE__TOP_K"),
        ("RAG_SERVER__MAX_INFLIGHT", "RAG_SERVER__MAX_IN_FLIGHT"),
    ],
)
def test_a_name_that_does_not_exist_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    set_options(monkeypatch, **{name: "1"})
    with pytest.raises(SetupError, match=rf"{name} is not an option.*did you mean {meant}\?") as caught:
        config.load()
    assert caught.value.param == name


def test_a_name_that_is_like_none_is_refused_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(monkeypatch, RAG_XYZZY="1")
    with pytest.raises(SetupError, match=r"^RAG_XYZZY is not an option of this service$"):
        config.load()


def test_names_of_others_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(monkeypatch, RAGTIME="1", MY_RAG_MODEL="x")
    config.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAG_LLM__MAX_TOKENS", "0"), ("RAG_LLM__TEMPERATURE", "2.5"), ("RAG_EMBEDDER__BATCH_SIZE", "many"),
        ("RAG_STORE__PREFIX", "a-b"), ("RAG_STORE__TIMEOUT_S", "0"), ("RAG_INGEST__OVERLAP", "0.9"),
        ("RAG_INGEST__CHUNK_CHARS", "10"), ("RAG_RETRIEVE__TOP_K", "101"), ("RAG_RETRIEVE__MODE", "fuzzy"),
        ("RAG_RETRIEVE__DUPLICATES", "1.1"), ("RAG_SERVER__KEEP_ALIVE_S", "16"), ("RAG_SERVER__MAX_IN_FLIGHT", "0"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    set_options(monkeypatch, **{name: value})
    with pytest.raises(SetupError, match=rf"^{name}: "):
        config.load()


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(monkeypatch, RAG_LLM__MAX_TOKENS="0", RAG_RETRIEVE__TOP_K="0")
    with pytest.raises(SetupError, match=r"RAG_LLM__MAX_TOKENS.*RAG_RETRIEVE__TOP_K"):
        config.load()


def test_engine_arguments_that_are_not_json_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(monkeypatch, RAG_LLM__ENGINE="{bad")
    with pytest.raises(SetupError, match=r"^RAG_LLM__ENGINE: must be a JSON object"):
        config.load()


def test_a_token_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(monkeypatch, RAG_STORE__TOKEN="root:hunter2")
    settings = config.load()
    assert "hunter2" not in repr(settings)
    assert settings.store.token is not None
    assert settings.store.token.get_secret_value() == "root:hunter2"


def test_a_message_does_not_repeat_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(monkeypatch, RAG_STORE__PREFIX="hunter2 !")
    with pytest.raises(SetupError) as caught:
        config.load()
    assert "hunter2" not in str(caught.value)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.load().retrieve.top_k = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host/v1", "http://", "http://key:secret@host/v1", "http://[/"]
)
def test_a_server_s_address_must_be_one(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    set_options(monkeypatch, RAG_LLM__URL=url)
    with pytest.raises(SetupError, match=r"^RAG_LLM__URL: ") as caught:
        config.load()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("hosts", ["https://x.org", "x.org/a", "*.x.org", "user@x.org"])
def test_hosts_of_images_have_no_scheme_and_no_pattern(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    set_options(monkeypatch, RAG_LLM__IMAGE_HOSTS="x.org, 10.0.0.5:8080, [::1]:80")
    assert config.load().llm.image_hosts
    set_options(monkeypatch, RAG_LLM__IMAGE_HOSTS=hosts)
    with pytest.raises(SetupError, match="RAG_LLM__IMAGE_HOSTS"):
        config.load()


def test_options_that_nothing_would_read_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(monkeypatch, RAG_LLM__TOKENIZER="org/model")
    with pytest.raises(SetupError, match="RAG_LLM__TOKENIZER requires RAG_LLM__URL"):
        config.load()
    set_options(monkeypatch, RAG_LLM__URL="http://host:8000/v1")
    assert config.load().llm.tokenizer == "org/model"
    set_options(monkeypatch, RAG_LLM__ENGINE__DTYPE="float16")
    with pytest.raises(SetupError, match="RAG_LLM__ENGINE cannot be combined with RAG_LLM__URL"):
        config.load()


def test_a_key_must_fit_into_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    set_options(monkeypatch, RAG_LLM__URL="http://host/v1", RAG_LLM__API_KEY="two\nlines")
    with pytest.raises(SetupError, match=r"^RAG_LLM__API_KEY: must be printable ASCII") as caught:
        config.load()
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize(
    "servers",
    ["example.com/mcp", "https://u:p@example.com/mcp", "https://*/mcp", "https://a*.org", "https://a.org/*/b"],
)
def test_the_addresses_of_mcp_servers_are_checked(monkeypatch: pytest.MonkeyPatch, servers: str) -> None:
    set_options(monkeypatch, RAG_TOOLS__MCP_SERVERS=f"https://example.org/mcp, {servers}")
    with pytest.raises(SetupError, match="RAG_TOOLS__MCP_SERVERS") as caught:
        config.load()
    assert "u:p" not in caught.value.message
    set_options(monkeypatch, RAG_TOOLS__MCP_SERVERS="https://example.org/mcp, https://*.example.org/*")
    config.load()
