"""Uploads on the page at `/ui` in Chromium: what is sent of each file, cancelling, and folders of many files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.running import RunningService
from tests.e2e.test_web_page import open_documents, upload

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

STORE = "page"
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
"""Bytes per second of Chromium's connections."""
FAST = {**SLOW, "uploadThroughput": -1}
FILES = 120
"""More than a browser lists at once of a folder that is dropped."""


def uploads(page: Page) -> Locator:
    return page.get_by_role("region", name="Uploads")


def entries(page: Page) -> Locator:
    return uploads(page).get_by_role("listitem")


def count_of(service: RunningService) -> int:
    return int(service.get(f"/v1/vector_stores/{STORE}").json()["file_counts"]["total"])


@pytest.mark.long  # takes seconds of sending
def test_what_is_sent_of_each_file_is_shown_and_the_rest_can_be_cancelled(page: Page, service: RunningService) -> None:
    """A slow connection sends the first file in seconds, and the others in minutes."""
    open_documents(page, STORE)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", SLOW)
    files = {"first.md": b"a" * 60_000, "second.md": b"b" * 9_000_000, "third.md": b"c" * 5_000_000}
    payloads = [{"name": name, "mimeType": "text/markdown", "buffer": content} for name, content in files.items()]
    page.locator("input[type=file]").first.set_input_files(payloads)  # type: ignore[arg-type]
    expect(entries(page).filter(has_text="first.md")).to_contain_text("Sent, 60 kB")
    expect(entries(page).filter(has_text="second.md")).to_contain_text(
        re.compile(r"Uploading, \d+% \([\d.]+ kB of 9 MB\)")
    )
    expect(entries(page).filter(has_text="third.md")).to_contain_text("Uploading, 0% (0 B of 5 MB)")
    expect(uploads(page)).to_contain_text(
        re.compile(r"[\d.]+ kB of 14.1 MB sent \(\d%\) · [\d.]+ kB per second · \d+ min left")
    )
    uploads(page).get_by_role("button", name="Cancel upload").click()
    expect(entries(page)).to_contain_text(["Cancelled"] * 3)
    expect(uploads(page)).to_contain_text("0 of 3 files finished")
    expect(uploads(page)).to_contain_text("3 cancelled")
    assert count_of(service) == 0
    network.send("Network.emulateNetworkConditions", FAST)
    page.route("**/ingest", lambda route: route.fulfill(status=503, json={"error": {"message": "the disk is full"}}))
    uploads(page).get_by_role("button", name="Try again").click()
    expect(entries(page)).to_contain_text(["the disk is full"] * 3)


@pytest.mark.long
def test_folders_of_many_files_are_chosen_and_dropped(page: Page, service: RunningService, tmp_path: Path) -> None:
    """The names of the files are the same in both cases, so the second time nothing has changed."""
    folder = tmp_path / "manuals"
    (folder / "deep" / "er").mkdir(parents=True)
    for number in range(FILES):
        (folder / f"{number:03d}.md").write_text(f"Manual {number}")
    (folder / "deep" / "er" / "last.md").write_text("The last manual")
    open_documents(page, STORE)
    page.get_by_label("Choose a folder").set_input_files(folder)
    expect(uploads(page)).to_contain_text(f"{FILES + 1} of {FILES + 1} files finished")
    expect(uploads(page)).to_contain_text("21 more files are not shown.")
    assert count_of(service) == FILES + 1
    assert (
        service.get(f"/v1/vector_stores/{STORE}/files?name=last").json()["data"][0]["filename"]
        == "manuals/deep/er/last.md"
    )
    uploads(page).get_by_role("button", name="Clear the list").click()
    drop(page, folder)
    expect(uploads(page)).to_contain_text(f"{FILES + 1} of {FILES + 1} files finished")
    expect(entries(page)).to_contain_text(["Unchanged"] * 100)
    assert count_of(service) == FILES + 1


def drop(page: Page, path: Path) -> None:
    """Drop a file or folder on the page as a file manager does."""
    box = page.get_by_role("region", name="Add documents").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for step in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": step, "x": box["x"] + 5, "y": box["y"] + 5, "data": data})


def test_a_file_that_is_refused_does_not_keep_the_others_away(page: Page) -> None:
    open_documents(page, STORE)
    upload(page, {"empty.md": b"", "good.md": b"# Good"})
    expect(entries(page).filter(has_text="good.md")).to_contain_text("Added")
    expect(entries(page).filter(has_text="empty.md")).to_contain_text(re.compile("Failed|Added"))
