"""`prepare`: downloads or unpacks the models before the service starts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from rag.cli.output import fail
from rag.errors import SetupError

if TYPE_CHECKING:
    from rag.config import Settings


@click.command()
@click.option(
    "--only",
    type=click.Choice(["llm", "encoder", "tokenizer"]),
    help="Prepare one part only: what a single service needs.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def prepare(only: str | None, quiet: bool) -> None:
    """Put the models in place, so that the service starts without downloads."""
    from rag import config

    console = Console(highlight=False, soft_wrap=True, quiet=quiet)
    try:
        settings = config.load()
        if only == "tokenizer":
            _prepare_tokenizer(console, settings)
        if only in (None, "llm") and settings.llm.url is None:
            _prepare_llm(console, settings)
        if only == "encoder" or (only is None and settings.embedder.url is None):
            _prepare_encoders(console, settings)
    except SetupError as error:
        fail(error.message)


def _prepare_tokenizer(console: Console, settings: Settings) -> None:
    from rag.adapters import model_files

    if settings.llm.url is None or settings.llm.tokenizer is not None:
        name = settings.llm.tokenizer or _llm_name(settings)
        _step(console, f"tokenizer of {name}", lambda: model_files.tokenizer_folder(settings))


def _prepare_llm(console: Console, settings: Settings) -> None:
    from rag.adapters import model_files

    _step(console, f"language model {_llm_name(settings)}", lambda: model_files.llm_folder(settings))
    if settings.llm.engine or settings.llm.adapters or settings.llm.tool_parser:
        _step(console, "engine options", lambda: _check_engine_options(settings))


def _prepare_encoders(console: Console, settings: Settings) -> None:
    from rag.adapters import model_files

    name = settings.embedder.model or "all-MiniLM-L6-v2 (embedded)"
    _step(console, f"encoder {name}", lambda: model_files.embedder_folder(settings))
    if (sparse := settings.embedder.sparse_model) is not None:
        _step(console, f"sparse encoder {sparse}", lambda: model_files.sparse_folder(sparse))
    if (cross := settings.rerank.cross_encoder) is not None:
        _step(console, f"cross-encoder {cross}", lambda: model_files.cross_encoder_folder(cross))


def _llm_name(settings: Settings) -> str:
    return settings.llm.model or "SmolLM2-135M-Instruct (embedded)"


def _check_engine_options(settings: Settings) -> str:
    """Has vLLM validate them, which takes about ten seconds: less than a start that fails."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from rag.adapters import model_files
    from rag.adapters.vllm.lora import check_configured
    from rag.adapters.vllm.start import checked_config

    folder = model_files.llm_folder(settings)
    _, config = checked_config(folder, settings.llm)
    check_configured(settings.llm, Path(folder), config.lora_config, model_files.adapter_folder)
    return folder


def _step(console: Console, name: str, work: Callable[[], str]) -> None:
    started = time.monotonic()
    with console.status(f"Preparing {name} ..."):
        folder = work()
    console.print(f"Ready: {name} in {folder} ({time.monotonic() - started:.1f} s)", markup=False)
