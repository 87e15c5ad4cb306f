"""`context_management`: compacts a conversation that is too long before it is answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

from rag.generate.events import Done
from rag.http.clients.remote_compaction import RemoteCompaction, WholeConversation
from rag.http.clients.remote_token_count import count_tokens
from rag.http.clients.service_client import ServiceClient
from rag.http.v1.responses.compaction.item import OpenCompaction
from rag.http.v1.responses.compaction.split_turns import SplitTurns, split_turns
from rag.http.v1.responses.memory import RequestedTurns
from rag.http.v1.responses.output.events import ResponseSource, SourceEvent
from rag.http.v1.responses.output.output_items import ItemStep
from rag.http.v1.responses.request.body import ResponsesBody
from rag.http.v1.responses.request.input import InputItem
from rag.http.v1.responses.request.mcp_turns import as_turns
from rag.http.v1.responses.request.turns import is_turn
from rag.types import Usage

Begin: TypeAlias = Callable[[RequestedTurns], AbstractAsyncContextManager[ResponseSource]]
"""The answer to a conversation, which begins when it is entered."""
_DEFAULT_SHARE = 3 / 4
"""Of the context length: the threshold of a request that sets none."""


@dataclass(frozen=True, slots=True)
class AutomaticCompaction:
    """Args:
    context_tokens: Context length of the language model.
    """

    retriever: ServiceClient
    compaction: RemoteCompaction
    body: ResponsesBody
    context_tokens: int

    @property
    def threshold(self) -> int:
        """The length in tokens beyond which a conversation is compacted: the smallest threshold in the request."""
        default = int(self.context_tokens * _DEFAULT_SHARE)
        return min(
            (entry.compact_threshold or default for entry in self.body.context_management or ()), default=default
        )

    @asynccontextmanager
    async def open(self, turns: RequestedTurns, begin: Begin) -> AsyncIterator[ResponseSource]:
        """The answer. If the conversation is too long, its compaction comes first, and then the answer to the shorter
        one, whose errors come after the beginning of a stream.
        """
        split = split_turns(turns)
        if split is None or await self._tokens(turns) <= self.threshold:
            async with begin(turns) as answer:
                yield answer
            return
        async with aclosing(self._events(split, begin)) as events:
            yield events

    async def _events(self, split: SplitTurns, begin: Begin) -> AsyncGenerator[SourceEvent, None]:
        limit = min(self.threshold, self.context_tokens)
        instructions = self.body.instructions or ""
        whole = WholeConversation(split.earlier, self.context_tokens, split.last, limit, instructions)
        compacted = await self.compaction.compact(whole)
        turns = split.turns
        if compacted.is_shorter:
            item = OpenCompaction(compacted.encrypted_content)
            yield ItemStep(item, is_done=True)
            turns = split.compacted(compacted.items, InputItem.model_validate(item.item().model_dump()))
        async with begin(turns) as answer:
            async for event in answer:
                if isinstance(event, Usage):
                    yield event + compacted.usage
                elif isinstance(event, Done):
                    yield replace(event, note="; ".join(filter(None, (compacted.note, event.note))))
                else:
                    yield event

    async def _tokens(self, turns: RequestedTurns) -> int:
        """The approximate length of the conversation for the language model."""
        earlier = as_turns(turns.history)
        items = [item for item in (*earlier, *as_turns(turns.input, turns.history)) if is_turn(item)]
        texts = [f"{item.role or item.name or ''}: {item.arguments or item.text}" for item in items]
        text = "\n".join([self.body.instructions or "", *texts])
        return await count_tokens(self.retriever, [{"role": "user", "content": text}], self.body.template_values)
