"""The library on the catalog; see `rag.library.service.Library`. Each noun has a file of its own."""

from __future__ import annotations

from rag.library.documents import DocumentShelf
from rag.library.files import FileShelf
from rag.library.ingestion import Intake
from rag.library.reindexing import ModelShelf
from rag.library.shelf import LibraryParts
from rag.library.stores import StoreShelf

__all__ = ["LibraryParts", "SqlLibrary"]


class SqlLibrary(FileShelf, StoreShelf, Intake, DocumentShelf, ModelShelf):
    """All of it."""
