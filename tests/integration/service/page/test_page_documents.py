"""Jobs, search, attributes, passages and the index of documents, on the page at `/ui` in Chromium."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.conftest import AXOLOTL, PRINTING
from tests.e2e.running import RunningService, wait_until
from tests.e2e.test_web_page import open_documents, upload
from tests.support.browser import WIDTHS, violations

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

STORE = "page"
"""The name of the vector store that the page has chosen."""
BROKEN = "%PDF-1.7 and nothing else"
RUNNING: dict[str, object] = {
    "id": "vsfb_1",
    "object": "job",
    "kind": "ingest",
    "status": "running",
    "file_counts": {"in_progress": 3, "completed": 5, "failed": 0, "cancelled": 0, "total": 8},
    "progress": {
        "step": "embedding guide.pdf", "waiting_for": "", "stalled": False, "pages": 40, "chunks": 310,
        "chunks_total": 1800, "chunks_per_s": 55.04, "seconds_left": 150.0,
    },
    "error": None,
}  # fmt: skip


def jobs(page: Page) -> Locator:
    return page.get_by_role("region", name="Jobs")


def rows(page: Page) -> Locator:
    return page.get_by_role("rowheader")


def document_of(service: RunningService, name: str) -> dict[str, Any]:
    found: dict[str, Any] = service.get(f"/v1/vector_stores/{STORE}/files?name={name}").json()["data"][0]
    return found


def test_the_chat_of_an_empty_vector_store_leads_to_the_documents(page: Page) -> None:
    expect(page.get_by_text("This vector store has no documents yet.")).to_be_visible()
    page.get_by_role("link", name="Add documents").click()
    expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()


def test_a_running_job_shows_its_progress_and_is_cancelled(page: Page) -> None:
    status = "running"

    def cancel(route: Route) -> None:
        nonlocal status
        status = "cancelled"
        route.fulfill(json={**RUNNING, "status": status})

    def listed(route: Route) -> None:
        counts = {"in_progress": 0, "completed": 5, "failed": 0, "cancelled": 3, "total": 8}
        job = RUNNING if status == "running" else {**RUNNING, "status": status, "file_counts": counts}
        route.fulfill(json={"object": "list", "data": [job]})

    page.route("**/v1/jobs?*", listed)
    page.route("**/v1/jobs/vsfb_1/cancel", cancel)
    open_documents(page, STORE)
    job = jobs(page).get_by_role("listitem")
    expect(job).to_contain_text("5 of 8 files")
    expect(job).to_contain_text("embedding guide.pdf · 310 of 1,800 passages · 55 passages per second · 3 min left")
    expect(job.get_by_role("progressbar")).to_have_js_property("value", 310)
    job.get_by_role("button", name="Cancel job").click()
    expect(job).to_contain_text("Cancelled")
    expect(job.get_by_role("button", name="Try again")).to_be_visible()
    job.get_by_role("button", name="Hide").click()
    expect(job).to_have_count(0)


def test_many_jobs_with_failed_files_are_folded_and_can_be_hidden(page: Page) -> None:
    counts = {"in_progress": 0, "completed": 0, "failed": 1, "cancelled": 0, "total": 1}
    ended = [{**RUNNING, "id": f"vsfb_{n}", "status": "completed", "file_counts": counts} for n in range(2, 8)]
    page.route("**/v1/jobs?*", lambda route: route.fulfill(json={"object": "list", "data": [*ended, RUNNING]}))
    open_documents(page, STORE)
    listed = jobs(page).locator(":scope > ul > li")
    expect(listed).to_have_count(4)
    expect(listed.last).to_contain_text("Running")
    jobs(page).get_by_text("3 more jobs").click()
    expect(jobs(page).get_by_role("button", name="Try again")).to_have_count(6)
    jobs(page).get_by_role("button", name="Hide all").click()
    expect(jobs(page).get_by_role("listitem")).to_have_count(1)


def test_the_failed_files_of_a_job_are_tried_again(page: Page, service: RunningService) -> None:
    open_documents(page, STORE)
    upload(page, {"broken.pdf": BROKEN})
    job = jobs(page).get_by_role("listitem").first
    expect(job).to_contain_text("1 failed")
    job.get_by_text("Why files failed").click()
    expect(job).to_contain_text("broken.pdf is damaged")
    known = len(service.get(f"/v1/jobs?vector_store_id={STORE}").json()["data"])
    with page.expect_response("**/retry") as retried:
        job.get_by_role("button", name="Try again").click()
    assert retried.value.json()["kind"] == "ingest"
    assert len(service.get(f"/v1/jobs?vector_store_id={STORE}").json()["data"]) == known + 1
    expect(jobs(page)).to_contain_text("1 failed")


def test_documents_are_searched_by_name_and_sorted(page: Page) -> None:
    open_documents(page, STORE)
    upload(page, {"b.md": PRINTING, "a.md": AXOLOTL, "C.md": PRINTING})
    page.get_by_label("Order").select_option(label="Name, A to Z")
    expect(rows(page)).to_have_text(["C.md", "a.md", "b.md"])
    page.get_by_label("Search by name").fill("c.M")
    expect(rows(page)).to_have_text(["C.md"])
    page.get_by_label("Search by name").fill("nothing")
    expect(page.get_by_text("No document has such a name.")).to_be_visible()


def test_pages_of_a_long_list_follow_one_another(page: Page, service: RunningService) -> None:
    listed = [f"{number:03d}.md" for number in range(60)]
    service.ingest({name: f"Number {name}".encode() for name in listed}, vector_store=STORE)
    open_documents(page, STORE)
    page.get_by_label("Order").select_option(label="Name, A to Z")
    expect(rows(page)).to_have_text(listed[:50])
    page.get_by_role("button", name="Show more").click()
    expect(rows(page)).to_have_text(listed)


def test_the_versions_of_a_document_are_listed(page: Page, service: RunningService) -> None:
    for text in (PRINTING, AXOLOTL):
        service.ingest({"axolotl.md": text.encode()}, vector_store=STORE)
    open_documents(page, STORE)
    page.get_by_role("link", name="axolotl.md").click()
    page.locator(".versions summary").click()
    expect(page.locator(".versions li")).to_have_text([re.compile("Current"), re.compile("Replaced")])


def test_the_attributes_of_a_document_are_edited_in_place(page: Page, service: RunningService) -> None:
    open_documents(page, STORE)
    upload(page, {"axolotl.md": AXOLOTL})
    page.get_by_role("link", name="axolotl.md").click()
    form = page.get_by_role("form", name="Attributes")
    for key, value in (("year", "2024"), ("topic", "salamanders"), ("code", '"007"')):
        form.get_by_role("button", name="Add attribute").click()
        form.get_by_label("Attribute", exact=True).last.fill(key)
        form.get_by_label("Value").last.fill(value)
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("button", name="Save")).to_have_count(0)
    file = document_of(service, "axolotl")
    assert file["attributes"] == {"year": 2024, "topic": "salamanders", "code": "007"}
    page.reload()
    expect(form.get_by_label("Value")).to_have_count(3)
    form.get_by_role("button", name="Remove attribute").first.click()
    form.get_by_label("Attribute", exact=True).first.fill("bad key!" * 20)
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("attributes")
    form.get_by_role("button", name="Cancel").click()
    expect(form.get_by_label("Value")).to_have_count(3)


def test_the_groups_of_a_document_are_given_at_upload_and_edited_in_place(page: Page, service: RunningService) -> None:
    open_documents(page, STORE)
    page.get_by_text("Who may read it").click()
    page.get_by_label("Groups, one a line").fill("masters\n cn=works, ou=council \n\n")
    upload(page, {"secret.md": AXOLOTL})
    assert document_of(service, "secret")["read_groups"] == ["cn=works, ou=council", "masters"]
    page.get_by_label("Groups, one a line").fill("")
    upload(page, {"secret.md": PRINTING, "open.md": AXOLOTL})
    assert document_of(service, "secret")["read_groups"] == ["cn=works, ou=council", "masters"]
    assert document_of(service, "open")["read_groups"] == []
    page.get_by_role("link", name="secret.md").click()
    form = page.get_by_role("form", name="Who may read it")
    field = form.get_by_label("Groups, one a line")
    expect(field).to_have_value("cn=works, ou=council\nmasters")
    field.fill("x" * 200)
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("read_groups")
    form.get_by_role("button", name="Cancel").click()
    expect(field).to_have_value("cn=works, ou=council\nmasters")
    expect(form.get_by_role("alert")).to_have_count(0)
    field.fill("novices")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("button", name="Save")).to_have_count(0)
    assert document_of(service, "secret")["read_groups"] == ["novices"]
    page.reload()
    expect(field).to_have_value("novices")


def test_a_document_shows_how_it_was_read_and_cut(page: Page, service: RunningService) -> None:
    text = "\n\n".join(
        f"## Part {number}\n\nThis part tells of the number {number}. {'x ' * 150}" for number in range(30)
    )
    open_documents(page, STORE)
    upload(page, {"parts.md": text})
    page.get_by_role("link", name="parts.md").click()
    report = page.get_by_role("region", name="How it was read")
    expect(report).to_contain_text("text/markdown")
    expect(report).to_contain_text("All of its text was read.")
    passages = page.get_by_role("region", name="Passages").locator(".cut > li")
    expect(passages).to_have_count(20)
    expect(passages.first).to_contain_text("This part tells of the number 0.")
    page.get_by_role("button", name="Show more").click()
    expect(passages).to_have_count(document_of(service, "parts")["chunks"])
    passages.last.get_by_role("link").click()
    expect(page.get_by_role("region", name="Linked passage").get_by_role("group", name="Passage")).to_contain_text(
        "This part tells of the number 29."
    )


def test_the_index_is_rebuilt_and_the_previous_one_dropped(page: Page, service: RunningService) -> None:
    def ended() -> bool:
        listed = service.get(f"/v1/jobs?vector_store_id={STORE}&active=true").json()["data"]
        return not listed

    open_documents(page, STORE)
    upload(page, {"axolotl.md": AXOLOTL})
    page.get_by_text("Embedding model").click()
    page.get_by_role("button", name="Go back to the previous index").click()
    expect(page.get_by_role("alert")).to_contain_text("previous")
    page.get_by_role("button", name="Rebuild the index").click()
    expect(page.get_by_text("The job has started.")).to_be_visible()
    wait_until(ended)
    page.get_by_role("button", name="Drop the previous index").click()
    expect(page.get_by_text("The previous index was dropped.")).to_be_visible()


def test_the_previous_index_is_gone_back_to(page: Page, service: RunningService) -> None:
    def jobs_of(kind: str) -> list[dict[str, Any]]:
        listed = service.get(f"/v1/jobs?vector_store_id={STORE}").json()["data"]
        return [job for job in listed if job["kind"] == kind]

    def have_completed(count: int) -> bool:
        return [job["status"] for job in jobs_of("reindex")] == ["completed"] * count

    open_documents(page, STORE)
    upload(page, {"axolotl.md": AXOLOTL})
    page.get_by_text("Embedding model").click()
    page.get_by_role("button", name="Rebuild the index").click()
    wait_until(lambda: have_completed(1))
    upload(page, {"printing.md": PRINTING})
    with page.expect_response("**/reindex/rollback") as answered:
        page.get_by_role("button", name="Go back to the previous index").click()
    assert answered.value.json()["kind"] == "reindex"
    expect(page.get_by_text("The job has started.")).to_be_visible()
    expect(page.locator(".reindexing").get_by_role("alert")).to_have_count(0)
    wait_until(lambda: have_completed(2))
    for question, name in (("Where does the axolotl live?", "axolotl.md"), ("Who printed books?", "printing.md")):
        hits = service.post("/retrieve", {"query": question, "vector_store": STORE}).json()["hits"]
        assert hits[0]["filename"] == name, "the index that was gone back to lacks a document"


def test_the_number_of_documents_is_shown(page: Page, service: RunningService) -> None:
    open_documents(page, STORE)
    heading = page.locator(".documents .heading").first
    expect(heading).to_contain_text("0 documents")
    upload(page, {"axolotl.md": AXOLOTL, "printing.md": PRINTING})
    expect(heading).to_contain_text("2 documents")
    page.get_by_role("button", name="Delete printing.md").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(heading).to_contain_text("1 document")
    expect(heading).not_to_contain_text("documents")


@pytest.mark.long
def test_axe_finds_no_violations_on_a_document(page: Page) -> None:
    table = f"| a | b |\n|---|---|\n| {'y' * 300} | z |"
    open_documents(page, STORE)
    upload(page, {"long.md": f"# Long\n\n{'x' * 300}\n\n{table}\n", "broken.pdf": BROKEN})
    expect(jobs(page)).to_contain_text("1 failed")
    page.get_by_text("Embedding model").click()
    assert violations(page) == []
    page.get_by_role("link", name="long.md").click()
    page.get_by_role("button", name="Add attribute").click()
    expect(page.locator(".cut li").first).to_be_visible()
    assert violations(page) == []
    page.set_viewport_size({"width": WIDTHS[0], "height": 800})
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[0]
