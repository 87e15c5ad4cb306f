"""The ids of documents in MCP, which contain the vector store, because `fetch` has no other parameter for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, unquote

from rag.errors import FileNotFound
from rag.http.path_segment import path_segment

SCHEME = "rag://"
_FILE_ID = re.compile(r"[\w-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DocumentId:
    store: str
    file_id: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """`STORE/FILE`, or `FILE` for a file of the default vector store.

        Raises:
            FileNotFound: no document can have this id.
        """
        store, slash, file_id = text.rpartition("/")
        if not _FILE_ID.fullmatch(file_id) or (slash and not store) or not store.isprintable():
            raise FileNotFound(f"there is no document {text[:80]!r}; search returns the ids of documents", param="id")
        return cls(store or "default", file_id)

    @classmethod
    def parse_uri(cls, uri: str) -> Self:
        """Raises FileNotFound if no document can have this URI."""
        return cls.parse(unquote(uri.removeprefix(SCHEME)))

    @property
    def path(self) -> str:
        """The path of the document's route."""
        return f"/v1/vector_stores/{path_segment(self.store)}/files/{self.file_id}"

    @property
    def uri(self) -> str:
        return f"{SCHEME}{quote(self.store, safe='')}/{self.file_id}"

    def __str__(self) -> str:
        return f"{self.store}/{self.file_id}"

    def url(self, service_url: str, attributes: Mapping[str, Any]) -> str:
        """Where a person can read the document: the attribute `url`, or else the file as it was uploaded."""
        given = attributes.get("url")
        return given if isinstance(given, str) and given else f"{service_url}/v1/files/{self.file_id}/content"
