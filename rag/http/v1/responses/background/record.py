"""Collects the events of a background response and writes them to the catalog."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rag.errors import DeadlineExceeded, RagError, Unavailable
from rag.http.clients.remote_background import RemoteBackground
from rag.http.streaming.event_stream import Event
from rag.http.v1.responses.output.events import FAILED
from rag.records import LEASE_S, LeasedResponse, ResponseEvent, WrittenPart
from rag.types import JsonObject

logger = logging.getLogger("rag.background")
HEARTBEAT_S = 1.0
"""Maximum seconds between two writes. A write is also how a worker learns that its response was cancelled."""
_DELTA = "response.output_text.delta"


class ResponseRecord:
    """Collects the events of one attempt, and writes them in batches.

    Args:
        failure: Makes the final event of a response whose events or output cannot be written.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        queue: RemoteBackground,
        leased: LeasedResponse,
        failure: Callable[[RagError], Event],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._leased = leased
        self._failure = failure
        self._clock = clock
        self._written_at = clock()
        self._last_number = leased.last_number
        self._events: list[ResponseEvent] = []
        self._batch: list[ResponseEvent] = []
        """The batch that is being written. It does not change until the catalog has confirmed it."""
        self._end: WrittenPart | None = None
        self.was_refused = False
        """Whether the catalog refused what was generated, so that nothing more needs to be."""

    @property
    def has_ended(self) -> bool:
        """Whether the attempt is over. Nothing more is added."""
        return self._end is not None

    def add(self, event: Event) -> None:
        name, body = event
        if self.has_ended or name == "response.created":  # the client got it when the response was queued
            return
        if name == FAILED:
            self._add_streamed(body.items())
            self._finish(body["response.failed"]["response"])
            return
        if not self._is_merged(name, body):
            self._add_streamed([event])
        if name in ("response.completed", "response.incomplete"):
            self._finish(body["response"])

    def give_up(self, after_s: float, *, is_counted: bool) -> None:
        """Let another attempt begin after some time. The output of this one is discarded."""
        self._events, self._batch = [], []
        self._end = self._part(retry_after_s=after_s, is_counted=is_counted)

    async def write(self) -> bool:
        """Write what was collected, and renew the lease.

        Returns:
            Whether to continue. If not, everything is written, or this process has lost the lease.
        """
        if not self._batch:
            self._batch, self._events = self._events, []
        elif self._clock() - self._written_at > LEASE_S:
            return False
        is_end = self._end is not None and not self._events
        if not (is_end or self._batch or self._clock() - self._written_at >= HEARTBEAT_S):
            return True
        part = self._end if is_end and self._end is not None else self._part()
        try:
            is_valid = await self._queue.write(replace(part, events=self._batch, last_number=self._last_number))
        except (Unavailable, DeadlineExceeded):  # it may or may not have been written
            return self._clock() - self._written_at < LEASE_S
        except RagError as error:
            return self._refused(error)
        self._written_at = self._clock()
        self._last_number += len(self._batch)
        self._batch = []
        return is_valid and not is_end

    def _refused(self, error: RagError) -> bool:
        """The catalog refused the output. Only the reason is left to write."""
        if self.was_refused:
            logger.error("the response %s cannot be written: %s", self._leased.response_id, error.message)
            return False
        self.was_refused = True
        self._events, self._batch, self._end = [], [], None
        self.add(self._failure(error))
        return True

    def _add_streamed(self, events: Iterable[ResponseEvent]) -> None:
        if self._leased.streams:
            self._events += events

    def _finish(self, response: JsonObject) -> None:
        self._end = self._part(final={**response, "store": True})

    def _part(self, **fields: Any) -> WrittenPart:
        return WrittenPart(self._leased.response_id, self._leased.lease, **fields)

    def _is_merged(self, name: str, body: JsonObject) -> bool:
        """Whether the text was added to the event before. Then fewer events are kept, and sent."""
        if name != _DELTA or not self._events or body["logprobs"]:
            return False
        last_name, last = self._events[-1]
        if last_name != name or last["item_id"] != body["item_id"] or last["logprobs"]:
            return False
        self._events[-1] = name, {**last, "delta": last["delta"] + body["delta"]}
        return True
