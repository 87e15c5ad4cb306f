"""`prepare`: the models, before the service wants them."""

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
    "--only", type=click.Choice(["llm", "encoder", "tokenizer"]), help="One part: what one service alone needs."
)
@click.option("--quiet", is_flag=True, help="Say nothing unless it fails.")
def prepare(only: str | None, quiet: bool) -> None:
    """Put the models in place, so that the service starts without a wait."""
    from rag import config
    from rag.adapters import model_files

    console = Console(highlight=False, soft_wrap=True, quiet=quiet)
    try:
        settings = config.load()
        language_model = settings.llm.model or "SmolLM2-135M-Instruct (embedded)"
        if only == "tokenizer" and (settings.llm.url is None or settings.llm.tokenizer is not None):
            name = settings.llm.tokenizer or language_model
            _step(console, f"tokenizer of {name}", lambda: model_files.tokenizer_folder(settings))
        if only in (None, "llm") and settings.llm.url is None:
            _step(console, f"language model {language_model}", lambda: model_files.llm_folder(settings))
            if settings.llm.engine or settings.llm.adapters or settings.llm.tool_parser:
                _step(console, "the engine's options", lambda: _checked_options(settings))
        if only == "encoder" or (only is None and settings.embedder.url is None):
            name = settings.embedder.model or "all-MiniLM-L6-v2 (embedded)"
            _step(console, f"encoder {name}", lambda: model_files.embedder_folder(settings))
            if (sparse := settings.embedder.sparse_model) is not None:
                _step(console, f"sparse encoder {sparse}", lambda: model_files.sparse_folder(sparse))
            if (cross := settings.rerank.cross_encoder) is not None:
                _step(console, f"cross-encoder {cross}", lambda: model_files.cross_encoder_folder(cross))
    except SetupError as error:
        fail(error.message)


def _checked_options(settings: Settings) -> str:
    """Takes some ten seconds for vLLM's own word on them, which is less than a start that fails."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from rag.adapters import model_files
    from rag.adapters.vllm.lora import check_configured
    from rag.adapters.vllm.start import checked_config

    folder = model_files.llm_folder(settings)
    _, config = checked_config(folder, settings.llm)
    check_configured(settings.llm, Path(folder), config.lora_config, model_files.adapter_folder)
    return folder


def _step(console: Console, what: str, work: Callable[[], str]) -> None:
    started = time.monotonic()
    with console.status(f"Preparing {what} ..."):
        folder = work()
    console.print(f"Ready: {what} in {folder} ({time.monotonic() - started:.1f} s)", markup=False)
