"""Records to which hosts the processes of a service open connections, and which names they look up."""

from __future__ import annotations

import os
from pathlib import Path

_HOOK = """
import os, sys

def note(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    with open({file!r}, "a") as hosts:
        hosts.write(f"{{host}}\\n")

sys.addaudithook(note)
"""


class ConnectionRecord:
    """Args: `folder` is an empty one for the hook that Python loads at its start, and for what it writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "hosts.txt"
        (folder / "sitecustomize.py").write_text(_HOOK.format(file=str(self._file)))
        self.environment = {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))}
        """Of the service."""

    @property
    def hosts(self) -> set[str]:
        return set(self._file.read_text().split())
