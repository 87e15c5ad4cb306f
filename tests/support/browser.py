"""Chromium, driven by Playwright, for the tests of the page."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

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
VIEWPORT: ViewportSize = {"width": 1280, "height": 860}
WIDTHS = (360, 800, 2560)
"""The narrowest and the widest window that the page is made for, and one between them."""
FRESH_STORAGE = """
if (location.origin === %s && !sessionStorage["test.began"]) {
    localStorage.clear();
    localStorage["rag.options"] = %s;
    Object.assign(sessionStorage, %s, { "test.began": "1" });
}
"""
"""Empties what earlier tabs have stored, when a tab opens its first page. The session storage of a new tab is empty."""


STORE_NOTHING = "localStorage.clear(); Storage.prototype.setItem = () => {}"
"""Ends what a tab stores, so that the next test's page cannot find it, whenever the browser passes it on."""


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


@contextmanager
def browser_context(limit_s: float) -> Iterator[BrowserContext]:
    """A context of a new browser, for many pages one after the other: a context for each test takes twice the time.

    Playwright waits at most `limit_s` for what it expects.
    """
    expect.set_options(timeout=limit_s * 1000)
    with chromium() as browser:
        context = browser.new_context(locale="en-US", color_scheme="light", viewport=VIEWPORT)
        context.set_default_timeout(limit_s * 1000)
        yield context


@contextmanager
def opened_page(
    context: BrowserContext, origin: str, options: Mapping[str, str], key: str | None = None
) -> Iterator[Page]:
    """`/ui` in a new tab, with these options of the chat and this API key, and nothing else that is stored.

    Routes, scripts, sizes and colours that a test sets end with its tab. Requests to other hosts and errors of scripts
    fail the test.
    """
    page = context.new_page()
    observer = Observer(origin)
    observer.watch(page)
    session = {} if key is None else {"rag.key": key}
    page.add_init_script(FRESH_STORAGE % tuple(map(json.dumps, (origin, json.dumps(options), session))))
    page.goto(f"{origin}/ui")
    yield page
    page.evaluate(STORE_NOTHING)
    page.goto("about:blank")
    for each in context.pages:
        each.close()
    context.clear_permissions()
    observer.check()


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
        page.on("dialog", self._note_dialog)

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.foreign_requests.append(url)

    def _note_dialog(self, dialog: Dialog) -> None:
        self.errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_message(self, message: ConsoleMessage) -> None:
        # A response with an error status is logged too; the page has to show it.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def check(self) -> None:
        assert self.foreign_requests == []
        assert self.errors == []


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds in light, and of the colours in dark: nothing else depends on the scheme."""
    axe = Axe()
    found = axe.run(page).response["violations"]
    page.emulate_media(color_scheme="dark")
    found += axe.run(page, options={"runOnly": ["color-contrast"]}).response["violations"]
    page.emulate_media(color_scheme="light")
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
