"""`prepare`: the models, before the service wants them."""

from __future__ import annotations

import time
from collections.abc import Callable

import click
from rich.console import Console

from rag.cli.output import fail
from rag.errors import SetupError


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
        if only == "tokenizer":
            _step(console, f"tokenizer of {language_model}", lambda: model_files.tokenizer_folder(settings))
        if only == "llm" or (only is None and settings.llm.url is None):
            _step(console, f"language model {language_model}", lambda: model_files.llm_folder(settings))
        if only == "encoder" or (only is None and settings.embedder.url is None):
            name = settings.embedder.model or "all-MiniLM-L6-v2 (embedded)"
            _step(console, f"encoder {name}", lambda: model_files.embedder_folder(settings))
            if (sparse := settings.embedder.sparse_model) is not None:
                _step(console, f"sparse encoder {sparse}", lambda: model_files.sparse_folder(sparse))
            if (cross := settings.rerank.cross_encoder) is not None:
                _step(console, f"cross-encoder {cross}", lambda: model_files.cross_encoder_folder(cross))
    except SetupError as error:
        fail(error.message)


def _step(console: Console, what: str, work: Callable[[], str]) -> None:
    started = time.monotonic()
    with console.status(f"Preparing {what} ..."):
        folder = work()
    console.print(f"Ready: {what} in {folder} ({time.monotonic() - started:.1f} s)", markup=False)
