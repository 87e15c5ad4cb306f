"""The cache."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from rag.types import Facts


class Cache(Protocol):
    """A cache of byte strings that may lose any entry at any time.

    A cache that does not respond behaves like an empty one: no method raises or takes longer than 0.1 s.
    """

    async def connect(self) -> None:
        """Test the connection at startup, so that a problem appears in the log and in `facts` early."""
        ...

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store the value for at most `ttl_s` seconds, replacing any earlier one."""
        ...

    async def near(self, group: str, vector: npt.NDArray[np.float32], min_cosine: float) -> tuple[str, bytes] | None:
        """Key and value of the most similar question of the group whose value is still stored.

        None if no question has at least this cosine similarity.
        """
        ...

    async def remember(self, group: str, vector: npt.NDArray[np.float32], key: str, ttl_s: float) -> None:
        """Make a key findable by `near` through its question's unit vector.

        A group contains its 1,024 most recent questions.
        """
        ...

    def facts(self) -> Facts:
        """For the readiness report: `kind`, and `degraded` with the reason if the cache does not respond."""
        ...

    async def close(self) -> None: ...
