"""Chromium, driven by Playwright, for the tests of the page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

PROGRAM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
OPTIONS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
"""No requests of Chromium's own. Containers usually have no GPU."""


def require_browser() -> None:
    """Skip the test if there is no browser; fail if `REQUIRE_BROWSER` is set, as in `.ci/run`."""
    if PROGRAM.is_file():
        return
    reason = f"there is no browser at {PROGRAM}: install Debian's chromium, or set CHROMIUM to the path of a Chromium"
    if os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. As root it needs to run without its sandbox."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=[*OPTIONS, *sandbox])
        yield browser
        browser.close()


@dataclass
class Observer:
    """What a page does besides what it shows."""

    origin: str
    foreign_requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self._note_request(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note_message)
        page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.foreign_requests.append(url)

    def _note_message(self, message: ConsoleMessage) -> None:
        # A response with an error status is logged too; the page has to show it.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def check(self) -> None:
        assert self.foreign_requests == []
        assert self.errors == []
