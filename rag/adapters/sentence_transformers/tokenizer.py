"""The encoder's tokenizer by itself, without torch and transformers, which take half a GB."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import SetupError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def encoder_tokenizer(folder: str) -> Tokenizer:
    """Counts all tokens of a text: what the file says of truncation and padding is for the encoder's batches.

    Safe for use in several threads.

    Args:
        folder: As `rag.adapters.model_files.embedder_folder` has it.

    Raises:
        SetupError: the model has no usable `tokenizer.json`, as is so for some old ones.
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
    """Beside the weights, or in the folder of the first module where the model keeps each module in its own."""
    places = (folder / "tokenizer.json", folder / "0_Transformer" / "tokenizer.json")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        advice = "choose a model that has one, or no chunking by tokens"
        message = f"RAG_EMBEDDER__MODEL: {folder} has no tokenizer.json; {advice}"
        raise SetupError(message, param="RAG_EMBEDDER__MODEL")
    return found
