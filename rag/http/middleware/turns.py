"""The turn of the request that is being served: see `rag.queues.caller_turns`."""

from __future__ import annotations

from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.auth.caller import queueing_caller
from rag.queues.caller_turns import CallerTurns, Turn

_WITHOUT_TURN = ("/mcp",)
"""Paths whose requests consist of other requests, each of which has a turn."""
current_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)


def end_turn() -> None:
    """Let the caller's next request begin, because this one is about to wait in another queue."""
    if (turn := current_turn.get()) is not None:
        turn.end()


def in_turns(app: ASGIApp, turns: CallerTurns) -> ASGIApp:
    """`app`, with each request waiting for its caller's turn. The turn ends when the response begins.

    That of an upload ends soon after its body: little is left to do then, but the response may wait for a job.

    A request raises Overloaded if it cannot have a turn.
    """

    async def in_turn(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in _WITHOUT_TURN:
            await app(scope, receive, send)
            return

        async def end_and_send(message: Message) -> None:
            turn.end()
            await send(message)

        async def receive_and_end() -> Message:
            message = await receive()
            if is_upload and not message.get("more_body", False):
                turn.end_soon()
            return message

        is_upload = Headers(scope=scope).get("content-type", "").startswith("multipart/")
        async with turns.turn(queueing_caller().queue) as turn:
            current_turn.set(turn)
            await app(scope, receive_and_end, end_and_send)

    return in_turn
