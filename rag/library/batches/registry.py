"""Operations of clients on batches."""

from __future__ import annotations

from rag.catalog import batches
from rag.catalog.database import Database
from rag.catalog.documents import files
from rag.catalog.tenants import quotas
from rag.errors import Conflict, FileNotFound, InvalidRequest
from rag.records import BatchRecord, Cursor, NewBatch, Page


class BatchRegistry:
    """The batches of the current caller. Methods block.

    Raises NotFound for batches of others, as for those that do not exist.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewBatch) -> BatchRecord:
        """Accept a batch. Its file is validated later.

        Raises:
            FileNotFound: there is no such file.
            InvalidRequest: the file has another purpose.
            QuotaExceeded: the caller may store nothing more, so there is no room for the output.
            RateLimitExceeded: the caller has as many unfinished jobs and batches as it may have.
        """
        with self._database.write() as connection, quotas.enforced(connection, "max_unfinished_jobs"):
            quotas.check_left(connection, "max_stored_bytes")
            try:
                file = files.lock(connection, new.input_file_id)
            except FileNotFound as error:
                raise FileNotFound(error.message, param="input_file_id") from None
            if file.purpose != "batch":
                raise InvalidRequest(
                    f"input_file_id: the file has the purpose {file.purpose}; upload it with the purpose batch",
                    param="input_file_id",
                )
            return batches.get(connection, batches.insert(connection, new, file.blob_id))

    def get(self, batch_id: str) -> BatchRecord:
        with self._database.read() as connection:
            return batches.get(connection, batch_id)

    def page(self, cursor: Cursor) -> Page[BatchRecord]:
        with self._database.read() as connection:
            return batches.page(connection, cursor)

    def cancel(self, batch_id: str) -> BatchRecord:
        """Cancel a batch: running requests are stopped, and no others begin. A cancelled batch stays unchanged.

        Raises:
            Conflict: it has ended otherwise, or is about to.
        """
        with self._database.write() as connection:
            batches.get(connection, batch_id, for_update=True)
            if not batches.cancel(connection, batch_id):
                _check_cancelled(batches.get(connection, batch_id))
            return batches.get(connection, batch_id)


def _check_cancelled(batch: BatchRecord) -> None:
    if batch.state not in ("cancelling", "cancelled"):
        raise Conflict(f"batch_id: cannot cancel the batch, which is {batch.state}", param="batch_id")
