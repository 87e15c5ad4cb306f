"""What a language model writes, as events and as one object."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import asdict

from rag.errors import InternalError
from rag.http.event_stream import Event
from rag.ports import Pieces
from rag.types import Finished, JsonObject, TextPiece


async def text_events(pieces: Pieces) -> AsyncGenerator[Event, None]:
    """Events of the text: many `token`, then `usage`, then `done`."""
    async for piece in pieces:
        if isinstance(piece, TextPiece):
            yield "token", {"text": piece.text}
        else:
            yield "usage", asdict(piece.usage)
            yield "done", {"finish_reason": piece.finish_reason}


async def collected(pieces: Pieces) -> JsonObject:
    """The whole text with its finish reason and usage; closes `pieces`, which stops the engine when cancelled."""
    text: list[str] = []
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Finished):
                return {"text": "".join(text), "finish_reason": piece.finish_reason, "usage": asdict(piece.usage)}
            text.append(piece.text)
    raise InternalError("the text ended before it was complete")
