from __future__ import annotations

import asyncio

import pytest

from rag.errors import DeadlineExceeded, DependencyUnavailable, RagError, SetupError, Starting
from rag.http import background_loader
from rag.http.background_loader import BackgroundLoader


async def _loaded(failures: list[Exception], monkeypatch: pytest.MonkeyPatch) -> BackgroundLoader[str]:
    """A loader that has ended, after its first attempts failed like this."""
    monkeypatch.setattr(background_loader, "_RETRY_S", 0.0)
    monkeypatch.setattr(background_loader, "_RETRY_STARTING_S", 0.0)

    async def load() -> str:
        if failures:
            raise failures.pop(0)
        return "loaded"

    loader = BackgroundLoader("the value", load)
    loader.start()
    assert loader._task is not None
    async with asyncio.timeout(60):
        await loader._task
    return loader


@pytest.mark.parametrize("error", [Starting("a"), DependencyUnavailable("a"), DeadlineExceeded("a")], ids=type)
async def test_errors_that_may_pass_are_retried(error: RagError, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await _loaded([error, error], monkeypatch)).get() == "loaded"


@pytest.mark.parametrize(
    ("error", "message"), [(SetupError("no such model"), "no such model"), (OSError("broken"), "the value: broken")]
)
async def test_other_errors_are_final(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = await _loaded([error], monkeypatch)
    with pytest.raises(RagError) as raised:
        loader.get()
    assert raised.value.message == message
