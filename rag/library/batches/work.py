"""Processes batches. Edges run the lines and report the results; the Retriever validates files and writes the output.

Edges keep no state that must survive: each repeatedly requests lines, runs them and reports the results. Every step of
the Retriever is one transaction that checks the state of the batch, so it can be repeated after a crash and run by
several processes at the same time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rag.auth.caller import Caller, acting_as
from rag.blobs import BlobFolder
from rag.catalog import batch_lines, batches
from rag.catalog.batches import BatchOutcome, BatchWorkRow
from rag.catalog.database import Database
from rag.catalog.documents import files
from rag.errors import Conflict, Unauthenticated, Unavailable
from rag.library.batches.exchange import AssignedLine, Assignment, Report
from rag.library.batches.output import BatchOutput
from rag.library.batches.validation import IsModel, body_of, read_input
from rag.library.present_caller import present_caller
from rag.records import BatchFault, BatchState, UploadedFile

CLAIM_S = 30.0
"""Seconds after which an unrenewed claim expires."""
_HELD_S = 60.0
"""How long one process has the exclusive right to validate a file or write the output. If it takes longer, another may
start as well, and the first to finish counts."""
_LINES_AT_ONCE = 500
_CLAIMS = "batch-claims"
_NO_FILE = BatchFault("file_not_found", "the bytes of the input file are missing from the data folder")
_log = logging.getLogger("rag.batches")


@dataclass(frozen=True, slots=True)
class BatchLimits:
    lines_at_once: int = 8
    tenant_lines_at_once: int = 4
    max_lines: int = 50_000


class BatchWork:
    """Methods block. Raises DependencyUnavailable if the catalog does not answer."""

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        limits: BatchLimits | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._limits = limits or BatchLimits()
        self._clock = clock
        self._advancing = threading.Lock()

    def resume(self) -> None:
        """With SQLite, release all claims at the start: they are of a process that has ended."""
        if self._database.is_sqlite:
            with self._database.write() as connection:
                batches.let_go(connection)
                batch_lines.release_all(connection)

    # --- with edges ---------------------------------------------------------------------------------

    def exchange(self, report: Report) -> Assignment:
        """Store what an edge reports, and give it more lines."""
        has_news = report.running or report.finished or report.released
        with self._database.read() as connection:
            is_idle = not batches.unfinished(connection)
        if is_idle and not has_news:
            return Assignment((), ())
        with self._database.write() as connection:
            _lock_claims(connection)
            self._store(connection, report)
            kept = batch_lines.renew(connection, report.running, report.worker, CLAIM_S)
            claimed = self._claim(connection, report.worker, report.wanted)
        lines = [line for row, caller, own in claimed for line in self._assigned(row, caller, own)]
        return Assignment(lines, [key for key in report.running if key not in kept])

    def _store(self, connection: sa.Connection, report: Report) -> None:
        for line in report.finished:
            is_good = 200 <= line.status < 300
            state: batch_lines.LineState = "completed" if is_good else "failed"
            if batch_lines.finish(connection, line.key, state, line.response):
                batches.count_ended_lines(connection, line.key[0], completed=int(is_good), failed=int(not is_good))
        for released in report.released:
            batch_lines.release(connection, released.key, report.worker)
            if released.pause_s > 0:
                batches.pause(connection, released.key[0], released.pause_s)

    def _claim(
        self, connection: sa.Connection, worker: str, wanted: int
    ) -> list[tuple[BatchWorkRow, Caller, list[batch_lines.ClaimedLine]]]:
        running = batch_lines.running(connection)
        rows = {row.id: row for row in batches.unfinished(connection) if row.state == "in_progress"}
        chosen = _shared_out(list(rows.values()), running, wanted, self._limits, self._clock())
        claimed = []
        for batch_id, number in chosen.items():
            caller = _caller_of(connection, rows[batch_id])
            if isinstance(caller, Caller):  # otherwise `advance` ends the batch
                lines = batch_lines.claim(connection, batch_id, worker, number, CLAIM_S)
                claimed.append((rows[batch_id], caller, lines))
        return claimed

    def _assigned(
        self, row: BatchWorkRow, caller: Caller, lines: Sequence[batch_lines.ClaimedLine]
    ) -> list[AssignedLine]:
        try:
            source = self._blobs.path(row.input_blob_id).open("rb")
        except FileNotFoundError:
            self._begin_end(row, "failed", [_NO_FILE])
            return []
        assigned = []
        with source:
            for line in lines:
                source.seek(line.offset)
                body = body_of(source.read(line.length))
                assigned.append(AssignedLine((row.id, line.number), row.endpoint, body, caller))
        return assigned

    # --- without edges ------------------------------------------------------------------------------

    def advance(self, is_model: IsModel | None) -> None:
        """Validate new batches, end those that are done, and write their files. Returns at once if it is running.

        Args:
            is_model: None: the models are not known now, so no file can be validated.
        """
        if not self._advancing.acquire(blocking=False):
            return
        try:
            with self._database.read() as connection:
                rows = batches.unfinished(connection)
            for row in rows:
                self._advance_safely(row, is_model)
        finally:
            self._advancing.release()

    def _advance_safely(self, row: BatchWorkRow, is_model: IsModel | None) -> None:
        try:
            self._advance(row, is_model)
        except Unavailable:
            raise
        except Exception:
            _log.exception("batch %s: %s failed and will be retried", row.id, row.state)

    def _advance(self, row: BatchWorkRow, is_model: IsModel | None) -> None:
        if row.state == "validating":
            if row.deadline_at <= self._clock():
                self._refuse(row, [BatchFault("batch_expired", "the file could not be validated within 24 hours")])
            elif is_model is not None and self._hold(row):
                self._validate(row, is_model)
        elif row.state == "in_progress":
            self._end_if_due(row)
        elif row.state in ("finalizing", "cancelling") and self._hold(row):
            self._write_files(row)

    def _hold(self, row: BatchWorkRow) -> bool:
        if row.held_until > self._clock():
            return False
        with self._database.write() as connection:
            return batches.hold(connection, row, _HELD_S)

    def _validate(self, row: BatchWorkRow, is_model: IsModel) -> None:
        try:
            found = read_input(self._blobs.path(row.input_blob_id), row.endpoint, is_model, self._limits.max_lines)
        except FileNotFoundError:
            self._refuse(row, [_NO_FILE])
            return
        if found.faults:
            self._refuse(row, found.faults)
            return
        with self._database.write() as connection:
            if batches.begin(connection, row.id, len(found.lines), found.model):
                batch_lines.insert(connection, row.id, found.lines)
                _log.info("batch %s: %d requests to %s", row.id, len(found.lines), row.endpoint)

    def _refuse(self, row: BatchWorkRow, faults: Sequence[BatchFault]) -> None:
        with self._database.write() as connection:
            batches.refuse(connection, row.id, faults)
        _log.info("batch %s: its file is not valid (%s)", row.id, faults[0].code)

    def _end_if_due(self, row: BatchWorkRow) -> None:
        with self._database.read() as connection:
            caller = _caller_of(connection, row)
        if isinstance(caller, BatchFault):
            _log.warning("batch %s: %s", row.id, caller.message)
            self._begin_end(row, "failed", [caller])
        elif row.completed + row.failed >= row.total:
            self._begin_end(row, "completed")
        elif row.deadline_at <= self._clock():
            self._begin_end(row, "expired")

    def _begin_end(self, row: BatchWorkRow, end_state: BatchState, faults: Sequence[BatchFault] = ()) -> None:
        with self._database.write() as connection:
            batches.begin_end(connection, row.id, end_state, faults)

    def _write_files(self, row: BatchWorkRow) -> None:
        output = BatchOutput(self._blobs.incoming, row)
        try:
            after = 0
            while lines := self._lines(row, after):
                output.write(lines)
                after = lines[-1].number
            with acting_as(_owner(row)):
                self._end(row, output)
        finally:
            output.remove()

    def _lines(self, row: BatchWorkRow, after: int) -> list[batch_lines.EndedLine]:
        with self._database.read() as connection:
            return batch_lines.in_order(connection, row.id, after, _LINES_AT_ONCE)

    def _end(self, row: BatchWorkRow, output: BatchOutput) -> None:
        """Add the files and end the batch, in one transaction. The quota of bytes was checked when it was created."""
        written = output.finish()
        with self._blobs.taken([file.path for file in written]) as blob_ids, self._database.write() as connection:
            ids = [_add_file(connection, row, *each) for each in zip(written, blob_ids, strict=True)]
            output_id = ids[0] if output.output.lines else None
            error_id = ids[-1] if output.errors.lines else None
            outcome = BatchOutcome(output_id, error_id, output.errors.lines, output.usage)
            if not batches.end(connection, row, outcome):
                raise Conflict(f"batch {row.id}: another process has ended it")  # removes the files
            batch_lines.delete(connection, row.id)
        _log.info("batch %s: %s", row.id, row.end_state)


def _add_file(connection: sa.Connection, row: BatchWorkRow, file: UploadedFile, blob_id: str) -> str:
    file_id = files.new_id()
    files.add_blob(connection, blob_id, "original", file.bytes)
    files.insert(connection, file_id, file, blob_id, purpose="batch_output", expires_after_s=row.output_expiry_s)
    return file_id


def _owner(row: BatchWorkRow) -> Caller:
    """Whose the files are."""
    return Caller(row.created_by, row.tenant, frozenset())


def _caller_of(connection: sa.Connection, row: BatchWorkRow) -> Caller | BatchFault:
    """For whom the lines run, or why they cannot be run any more."""
    try:
        return present_caller(connection, row.caller)
    except Unauthenticated as error:
        return BatchFault(error.code, error.message)


def _shared_out(
    rows: Sequence[BatchWorkRow], running: Mapping[str, int], wanted: int, limits: BatchLimits, now: float
) -> Counter[str]:
    """The number of lines to start, by batch. Tenants take turns, and each one's batch with the fewest running lines is
    next.
    """
    of_batch, of_tenant = Counter(running), Counter[str]()
    for row in rows:
        of_tenant[row.tenant] += running.get(row.id, 0)
    chosen = Counter[str]()
    for _ in range(min(wanted, limits.lines_at_once - of_batch.total())):
        candidates = [
            row
            for row in rows
            if row.paused_until <= now
            and row.deadline_at > now
            and of_tenant[row.tenant] < limits.tenant_lines_at_once
            and row.total - row.completed - row.failed > of_batch[row.id]
        ]
        if not candidates:
            break
        best = min(candidates, key=lambda row: (of_tenant[row.tenant], of_batch[row.id], row.created_at))
        of_tenant[best.tenant] += 1
        of_batch[best.id] += 1
        chosen[best.id] += 1
    return chosen


def _lock_claims(connection: sa.Connection) -> None:
    """Let one transaction at a time share lines out, as SQLite does for all that write."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(_CLAIMS, 0))))
