"""The encoder's tokenizer without torch and transformers, which would take half a GB of memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import SetupError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def encoder_tokenizer(folder: str) -> Tokenizer:
    """A tokenizer that counts all tokens of a text, without truncation or padding. Thread-safe.

    Args:
        folder: The folder of the encoder, from `rag.adapters.model_files.embedder_folder`.

    Raises:
        SetupError: the model has no usable `tokenizer.json`, which some old models lack.
    """
    from tokenizers import Tokenizer

    file = _tokenizer_file(Path(folder))
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise SetupError(f"RAG_EMBEDDER__MODEL: {file} cannot be read: {error}", param="RAG_EMBEDDER__MODEL") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _tokenizer_file(folder: Path) -> Path:
    """The file beside the weights, or in the folder of the model's first module."""
    places = (folder / "tokenizer.json", folder / "0_Transformer" / "tokenizer.json")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        advice = "choose a model that has one, or another chunking strategy than tokens"
        message = f"RAG_EMBEDDER__MODEL: {folder} has no tokenizer.json; {advice}"
        raise SetupError(message, param="RAG_EMBEDDER__MODEL")
    return found
