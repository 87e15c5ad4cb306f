"""Operations on uploaded files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rag.catalog import access, versions
from rag.catalog.documents import documents, files, stores
from rag.catalog.tenants import quotas
from rag.errors import FileNotFound, InsufficientPermissions
from rag.library.resources import LibraryResources
from rag.records import DAY_S, Cursor, FileRecord, Page, UploadedFile

_BATCH_EXPIRY_S = int(30 * DAY_S)


def expiry_s(purpose: str, requested_s: int | None) -> int | None:
    """After how many seconds a new file expires. As at OpenAI, files of batches expire after 30 days by themselves."""
    return _BATCH_EXPIRY_S if requested_s is None and purpose == "batch" else requested_s


def add(
    resources: LibraryResources,
    upload: UploadedFile,
    purpose: str,
    expires_after_s: int | None = None,
    read_groups: Sequence[str] = (),
) -> FileRecord:
    with (
        resources.blobs.taken([upload.path]) as [blob_id],
        resources.database.write() as connection,
        quotas.enforced(connection, "max_stored_bytes"),
    ):
        files.add_blob(connection, blob_id, "original", upload.bytes, upload.charset)
        return files.insert(
            connection,
            files.new_id(),
            upload,
            blob_id,
            purpose=purpose,
            expires_after_s=expiry_s(purpose, expires_after_s),
            read_groups=read_groups,
        )


def page(resources: LibraryResources, cursor: Cursor, purpose: str | None) -> Page[FileRecord]:
    with resources.database.read() as connection:
        return files.page(connection, cursor, purpose)


def get(resources: LibraryResources, file_id: str) -> FileRecord:
    with resources.database.read() as connection:
        return files.to_record(files.get(connection, file_id))


def content(resources: LibraryResources, file_id: str) -> Path:
    with resources.database.read() as connection:
        path = resources.blobs.path(files.get(connection, file_id).blob_id)
    if not path.exists():
        raise FileNotFound(f"the bytes of {file_id} are missing from the data folder", param="file_id")
    return path


def delete(resources: LibraryResources, file_id: str) -> None:
    while not _try_delete(resources, file_id):
        continue
    resources.request_cleanup()


def _try_delete(resources: LibraryResources, file_id: str) -> bool:
    """Returns False if the file was added to another store before everything was locked."""
    with resources.database.write() as connection:
        files.get(connection, file_id)
        locked = sorted({document.store_id for document in documents.with_file(connection, file_id)})
        if not all(access.may_use_store(store_id) for store_id in locked):
            raise InsufficientPermissions("the file is also in vector stores that the API key may not use")
        for store_id in locked:
            stores.lock(connection, store_id)
        files.lock(connection, file_id)
        own_documents = documents.with_file(connection, file_id)
        if any(document.store_id not in locked for document in own_documents):
            return False
        for document in own_documents:
            versions.remove_file(connection, document, file_id)
        files.delete(connection, file_id)
    return True
