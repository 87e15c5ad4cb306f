"""Puts the control sockets of BentoML's process supervisor where only this user can connect."""

from __future__ import annotations

import functools
import shutil
from typing import Any

from rag.private_folder import make_private_folder


@functools.cache
def make_supervisor_private() -> None:
    """Let the supervisor listen on Unix sockets in a private folder instead of ports (docs/bentoml_issues.md#b27).

    To be called in the supervisor before it starts the services.
    """
    from bentoml._internal.utils import circus

    circus.Arbiter = _on_private_sockets(circus.Arbiter)  # type: ignore[misc]
    circus.ThreadedArbiter = _on_private_sockets(circus.ThreadedArbiter)  # type: ignore[misc]


def _on_private_sockets(arbiter: Any) -> Any:
    """A subclass of BentoML's supervisor."""

    class PrivateArbiter(arbiter):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            folder = make_private_folder("rag-supervisor-")
            sockets = {"endpoint": f"ipc://{folder}/control", "pubsub_endpoint": f"ipc://{folder}/events"}
            super().__init__(*args, **{**options, **sockets})
            self.exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)

    return PrivateArbiter
