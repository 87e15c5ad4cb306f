"""The page at `/ui`: static files of the folder `ui`, which use only public routes of the API."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/ui"
FOLDER = Path(__file__).parents[1] / "ui"
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify pdf-worker",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
"""The page loads nothing from other hosts and runs no inline script. Only DOMPurify's output becomes HTML. A browser
asks whether a file has changed before it uses its copy, so all files are of one version."""
PDF_WORKER = f"{PATH}/vendor/pdfjs/pdf.worker.mjs"
_WORKER_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
"""Of the worker that reads PDFs, apart from the page: it decodes the pictures of scans with WebAssembly."""
_MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".bcmap": "application/octet-stream",
    ".pfb": "application/octet-stream",
    ".ttf": "font/ttf",
}


_COMMENT = re.compile(r"^[ ]*(?://.*|/\*(?:[^*]|\*(?!/))*\*/[ ]*)$", re.M)
_INDENTATION = re.compile(r"^[ ]+", re.M)


@dataclass(frozen=True, slots=True)
class StaticFile:
    content: bytes
    media_type: str
    etag: str
    policy: str = HEADERS["content-security-policy"]

    def response(self, if_none_match: str) -> Response:
        headers = {**HEADERS, "content-security-policy": self.policy, "etag": self.etag}
        if self.etag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


class WebPage:
    """Middleware that answers `/ui` with the page, and the paths below with its files."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            if scope["path"] == f"{PATH}/":
                # Relative, because a proxy may serve the service below a path of its own.
                app = RedirectResponse("../ui")
            elif (file := static_files().get(scope["path"])) is not None:
                app = file.response(Headers(scope=scope).get("if-none-match", ""))
        await app(scope, receive, send)


@cache
def static_files() -> Mapping[str, StaticFile]:
    """All files of the page by the path of their URL. They are read once; together they are 5 MB.

    Our own scripts are served without comments and indentation.
    """
    files = {
        f"{PATH}/{path.relative_to(FOLDER).as_posix()}": _read(path)
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in _MEDIA_TYPES
    }
    files[PDF_WORKER] = replace(files[PDF_WORKER], policy=_WORKER_POLICY)
    return {PATH: files[f"{PATH}/index.html"], **files}


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    if path.suffix == ".js":
        content = compacted(content.decode()).encode()
    return StaticFile(content, _MEDIA_TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def compacted(script: str) -> str:
    """A script of ours without indentation and without the comments that have lines of their own.

    Line numbers stay the same. No text of several lines may depend on its indentation, or look like a comment.
    """
    without_comments = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), script)
    return _INDENTATION.sub("", without_comments)
