"""Operations on background responses.

The edge generates them, because it has the answer pipeline; the catalog holds the queue. An edge process leases a
response and renews the lease with each write. If the process dies, the lease expires, and another process starts again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rag.auth.caller import INTERNAL, caller_to_header
from rag.catalog.answers import background, conversations, items, kept, responses
from rag.catalog.answers.background import ResponseWorkRow
from rag.catalog.database import Database
from rag.catalog.tenants import quotas
from rag.errors import InvalidRequest, QuotaExceeded, Unauthenticated
from rag.library.present_caller import present_caller
from rag.records import DAY_S, LEASE_S, LeasedResponse, NewResponse, NewWork, ResponseEvent, WrittenPart
from rag.types import JsonMapping, JsonObject

_MAX_EVENT_BYTES = 32 * 2**20
"""The limit for the events of one response, as JSON."""
_MAX_EVENTS_READ = 500
_CONTINUING = ("completed", "incomplete")
"""The states of a response whose items are added to its conversation."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """The next events of a response."""

    events: Sequence[ResponseEvent]
    is_last: bool
    """Whether there will be no more."""


class BackgroundRegistry:
    """The responses in the background in the catalog. Methods block."""

    def __init__(self, database: Database, retention_days: int) -> None:
        self._database = database
        self._retention_s = retention_days * DAY_S

    def enqueue(self, new: NewResponse, work: NewWork) -> None:
        """Queue a response.

        Raises:
            QuotaExceeded: the caller may keep no more.
            RateLimitExceeded: the caller has as many unfinished ones as it may have.
        """
        with (
            self._database.write() as connection,
            quotas.enforced(connection, "max_kept_bytes", "max_unfinished_responses"),
        ):
            responses.insert(connection, new, self._retention_s)
            background.insert(connection, work)
            row = background.find(connection, work.response_id)
            assert row is not None
            size = kept.size_of(work.request)
            if work.streams:
                size += background.append_events(connection, row, work.events)
            responses.change(connection, row.id, None, size)

    def lease(self) -> LeasedResponse | None:
        """Lease the next queued response, which is then in progress; None if there is none."""
        with self._database.read() as connection:
            if not background.any_due(connection):
                return None
        with self._database.write() as connection:
            if (row := background.claim(connection, LEASE_S)) is None:
                return None
            erased = background.erase_attempt(connection, row)
            body = {**responses.any_body(connection, row.id), "status": "in_progress"}
            responses.change(connection, row.id, body, -erased)
            refusal = ""
            try:
                caller = present_caller(connection, row.caller)
            except Unauthenticated as error:
                caller, refusal = INTERNAL, error.message
        return LeasedResponse(
            row.id,
            row.lease,
            body,
            row.request,
            caller_to_header(caller),
            row.request_id,
            row.streams,
            row.attempts,
            row.last_number,
            refusal,
        )

    def write(self, part: WrittenPart) -> bool:
        """Store the output of the lease's holder, and renew the lease.

        Returns:
            Whether it was stored. If not, the response was cancelled, deleted or leased to another process, and the
            holder should stop.

        Raises:
            QuotaExceeded: the caller may keep no more.
            NotFound: the conversation was deleted meanwhile.
            InvalidRequest: the conversation would have too many items.
        """
        with self._database.write() as connection:
            if (row := background.leased(connection, part.response_id, part.lease)) is None:
                return False
            has_failed = part.final is not None and part.final["status"] == "failed"
            if has_failed:  # the caller is to learn why, even if there is no room for it
                self._write(connection, row, part)
                return True
            with quotas.enforced(connection, "max_kept_bytes"):
                self._write(connection, row, part)
        return True

    def cancel(self, response_id: str) -> JsonObject:
        """The response, cancelled if it has not ended.

        Raises:
            NotFound: the caller has no such response.
            InvalidRequest: it is none in the background.
        """
        with self._database.write() as connection:
            body = responses.get(connection, response_id).body
            row = background.find(connection, response_id, for_update=True)
            if row is None:
                reason = "cannot cancel it: only responses that were created with background=true can be cancelled"
                raise InvalidRequest(f"response_id: {reason}", param="response_id")
            if row.state == "ended":
                body = responses.get(connection, response_id).body
            else:
                body = {**body, "status": "cancelled"}
                self._cancel(connection, row, body)
            return {**body, "output": items.of_owner(connection, response_id, is_output=True)}

    def events(self, response_id: str, after: int) -> EventPage:
        """Events of a streamed response.

        Args:
            after: Number of the event before the first one.

        Raises:
            NotFound: the caller has no such response.
            InvalidRequest: its events are not kept.
        """
        with self._database.read() as connection:
            responses.get(connection, response_id)
            row = background.find(connection, response_id)
            if row is None or not row.streams:
                reason = "only a response that was created with background=true and stream=true can be streamed again"
                raise InvalidRequest(f"stream: {reason}", param="stream")
            found = background.events_after(connection, response_id, after, _MAX_EVENTS_READ)
            return EventPage(found, row.state == "ended" and len(found) < _MAX_EVENTS_READ)

    def _write(self, connection: sa.Connection, row: ResponseWorkRow, part: WrittenPart) -> None:
        added, body = 0, None
        if row.streams:
            known = max(0, row.last_number - part.last_number)
            added = background.append_events(connection, row, part.events[known:])
            if row.event_bytes + added > _MAX_EVENT_BYTES and part.final is None:
                size = _MAX_EVENT_BYTES // 2**20
                raise QuotaExceeded(f"the events of the response have more than {size} MiB; do not stream it")
        if part.final is not None:
            body, added = self._final(connection, row, part.final, added)
            background.end(connection, row.id)
        elif part.retry_after_s is not None:
            body = {**responses.any_body(connection, row.id), "status": "queued"}
            background.requeue(connection, row, part.retry_after_s, is_counted=part.is_counted)
        else:
            background.renew(connection, row.id, LEASE_S)
        if body is not None or added:
            responses.change(connection, row.id, body, added)

    def _final(
        self, connection: sa.Connection, row: ResponseWorkRow, response: JsonMapping, added: int
    ) -> tuple[JsonObject, int]:
        """The response without its output, which is kept with it, and the bytes that are added."""
        output = response["output"]
        body = {name: value for name, value in response.items() if name != "output"}
        items.append(connection, row.id, output, is_output=True)
        conversation = body.get("conversation")
        if conversation is not None and body["status"] in _CONTINUING:
            found = conversations.get(connection, conversation["id"], "conversation", for_update=True)
            asked = items.of_owner(connection, row.id, is_output=False)
            conversations.append(connection, found, [*asked, *output], self._retention_s)
        return body, added + kept.size_of(*output) - kept.size_of(row.request)

    def _cancel(self, connection: sa.Connection, row: ResponseWorkRow, body: JsonObject) -> None:
        added = -kept.size_of(row.request)
        if row.streams:
            # OpenAI has no event of its own for this; its clients end a stream at one of these.
            name = "response.incomplete"
            added += background.append_events(
                connection, row, [(name, {"type": name, "response": {**body, "output": []}})]
            )
        responses.change(connection, row.id, body, added)
        background.end(connection, row.id)
