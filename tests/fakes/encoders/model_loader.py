from __future__ import annotations

import threading

from tests.fakes.encoders.embedder import FakeEmbedder


class FakeLoader:
    """Replaces the loading of models from folders. It waits while `gate` is not set."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.at_once = self.most_at_once = 0
        self.failure: Exception | None = None

    def __call__(self, model: str) -> FakeEmbedder:
        self.loaded.append(model)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.gate.wait(10)
        self.at_once -= 1
        if self.failure is not None:
            raise self.failure
        return FakeEmbedder(8, model)
