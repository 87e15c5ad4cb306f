"""Milvus Lite's server in this process, which only this process's user can reach."""

from __future__ import annotations

import atexit
import shutil
from pathlib import Path

from milvus_lite.adapter.grpc.server import start_server_in_thread
from milvus_lite.engine.collection import Collection

from rag.private_folder import make_private_folder

_STOP_S = 2.0


class LiteServer:
    """Serves a Milvus Lite file on a Unix socket in a folder that other users cannot enter.

    pymilvus would start the same server on a TCP port, on which every user of the machine could read all passages
    (docs/bentoml_issues.md#m7).

    Raises:
        milvus_lite.exceptions.DataDirLockedError: another process has the file open.
    """

    def __init__(self, file: Path) -> None:
        self._folder = make_private_folder("rag-milvus-")
        socket = f"unix:{self._folder}/socket"
        try:
            self._server, self._database, _ = start_server_in_thread(str(file.absolute()), host=socket)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self.uri = f"{socket}:0"  # Milvus Lite appends the port
        """The address to pass to pymilvus."""
        atexit.register(self.close)

    def collection(self, name: str) -> Collection:
        """The collection of this name or alias. Raises milvus_lite.exceptions.CollectionNotFoundError."""
        return self._database.get_collection(name)

    def close(self) -> None:
        """Stop the server and release the lock on the file."""
        atexit.unregister(self.close)
        self._server.stop(_STOP_S).wait(_STOP_S)
        self._database.close()
        shutil.rmtree(self._folder, ignore_errors=True)
