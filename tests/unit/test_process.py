"""What every service process does."""

from __future__ import annotations

import gc

from rag.bootstrap import process


async def test_objects_of_the_start_are_exempt_from_garbage_collection_once_a_service_is_ready() -> None:
    life = process.make_lifecycle("Test")

    async def facts() -> dict[str, object]:
        return {}

    life.on_probe(facts)
    assert gc.get_freeze_count() == 0
    try:
        await life.ready()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
