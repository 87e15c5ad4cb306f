"""`/v1/batches`, through OpenAI's client and without it."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types import Batch

from tests.support.files.batch_files import chat_line, jsonl
from tests.support.v1.v1_client import V1, error_of

CHAT: Any = "/v1/chat/completions"
CREATE = {"endpoint": CHAT, "completion_window": "24h"}


async def new_batch(client: openai.AsyncOpenAI, **options: Any) -> Batch:
    file = await client.files.create(file=("in.jsonl", jsonl([chat_line("1", "a")])), purpose="batch")
    return await client.batches.create(input_file_id=file.id, **{**CREATE, **options})


async def test_a_batch_has_the_fields_of_openais(app: V1) -> None:
    async with app.openai() as client:
        batch = await new_batch(client, metadata={"a": "b"})
        assert Batch.model_validate(batch.to_dict(), strict=True).to_dict() == batch.to_dict()
        required = {name for name, field in Batch.model_fields.items() if field.is_required()}
        assert required < set(batch.to_dict()) <= set(Batch.model_fields)
        assert None not in batch.to_dict().values(), "OpenAI's document has no null here"
        assert (batch.object, batch.status, batch.endpoint, batch.completion_window) == (
            *("batch", "validating"),
            *(CHAT, "24h"),
        )
        assert batch.expires_at == batch.created_at + 86_400
        assert batch.request_counts is not None
        assert batch.request_counts.to_dict() == {"total": 0, "completed": 0, "failed": 0}
        assert (batch.errors, batch.output_file_id, batch.usage, batch.metadata) == (None, None, None, {"a": "b"})
        assert await client.batches.retrieve(batch.id) == batch
        cancelled = await client.batches.cancel(batch.id)
        assert cancelled.status == "cancelling"
        assert cancelled.cancelling_at is not None


async def test_batches_are_listed_with_cursors(app: V1) -> None:
    async with app.openai() as client:
        made = [(await new_batch(client)).id for _ in range(3)]
        assert [batch.id async for batch in client.batches.list(limit=2)] == made[::-1]
        page = await client.batches.list(limit=1, after=made[2])
        assert ([batch.id for batch in page.data], page.has_more) == ([made[1]], True)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "/v1/moderations"}, "endpoint"),
        ({"endpoint": "/v1/chat/completions/"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"completion_window": None}, "completion_window"),
        ({"input_file_id": ""}, "input_file_id"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "output_expires_after.seconds"),
        ({"output_expires_after": {"seconds": 3600}}, "output_expires_after.anchor"),
        ({"priority": 1}, "priority"),
    ],
)
async def test_bad_requests_are_refused(app: V1, change: dict[str, Any], param: str) -> None:
    async with app.http() as http:
        refused = await http.post("/batches", json={**CREATE, "input_file_id": "file-0", **change})
    assert error_of(refused) == (400, "invalid_request", param)


async def test_unknown_files_and_batches_are_not_found(app: V1) -> None:
    async with app.http() as http:
        refused = await http.post("/batches", json={**CREATE, "input_file_id": "file-0"})
        assert error_of(refused) == (404, "file_not_found", "input_file_id")
        for answer in (await http.get("/batches/batch_0"), await http.post("/batches/batch_0/cancel")):
            assert error_of(answer) == (404, "not_found", "batch_id")
        assert error_of(await http.get("/batches?after=batch_0")) == (400, "invalid_request", "after")
