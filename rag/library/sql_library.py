"""The library on the catalog; see `rag.library.service.Library`. Each noun has a file of its own."""

from __future__ import annotations

from rag.library.document_shelf import DocumentShelf
from rag.library.file_shelf import FileShelf
from rag.library.intake import Intake
from rag.library.model_shelf import ModelShelf
from rag.library.shelf import LibraryParts
from rag.library.store_shelf import StoreShelf

__all__ = ["LibraryParts", "SqlLibrary"]


class SqlLibrary(FileShelf, StoreShelf, Intake, DocumentShelf, ModelShelf):
    """All of it."""
