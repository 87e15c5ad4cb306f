"""API keys on the page at `/ui` in Chromium: signing in and out, and what an administrator can do with them."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from rag.types import JsonObject
from tests.e2e.running import LIMIT_S, RunningService, wait_until
from tests.integration.service.conftest import ADMIN
from tests.integration.service.page.test_page_why import open_view

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def keys(page: Page) -> Locator:
    return page.get_by_role("region", name="API keys")


def status_with(service: RunningService, secret: str) -> int:
    """Of a request with this key."""
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.get(f"{service.url}/v1/jobs", headers=headers, timeout=LIMIT_S).status_code


def test_a_key_is_created_used_and_revoked(page: Page, service: RunningService, context: BrowserContext) -> None:
    open_view(page, "Service")
    form = page.get_by_role("form", name="Create a key")
    form.get_by_label("Name").fill("page key")
    form.get_by_text("Limits").click()
    form.get_by_label("Requests per minute").fill("600")
    form.get_by_role("button", name="Create a key").click()
    secret = page.locator(".secret code").inner_text()
    page.get_by_role("button", name="I have stored it").click()
    assert secret not in page.content()

    other = context.new_page()  # a tab has a session storage of its own
    other.goto(f"{service.url}/ui#service")
    expect(other.get_by_role("region", name="Jobs").get_by_role("note")).to_have_text("An API key is needed.")
    other.get_by_label("This service needs an API key.").fill(secret)
    other.get_by_role("button", name="Sign in").click()
    for name, scope in (("Traffic", "metrics"), ("API keys", "admin")):
        note = other.get_by_role("region", name=name).get_by_role("note")
        expect(note).to_contain_text(f"This API key may not see this: the API key or token lacks the scope {scope}")
    expect(other.get_by_role("region", name="Models").get_by_role("row").nth(1)).to_be_visible()
    other.close()

    row = keys(page).get_by_role("row").filter(has_text="page key")
    expect(row).to_contain_text("Requests per minute: 600")
    page.evaluate("window.confirm = () => true")
    page.get_by_role("button", name="Revoke page key").click()
    expect(row).to_contain_text("Revoked")
    wait_until(lambda: status_with(service, secret) == 401)


def test_the_first_key_is_used_by_the_page_that_made_it(page: Page) -> None:
    """With answers made here, because this service has a key already."""
    keys: list[JsonObject] = []

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            rest = {"id": "key_1", "tenant": "default", "prefix": "rag-ab", "status": "active", "expires_at": None}
            keys.append({**(route.request.post_data_json or {}), **rest, "last_used_at": None})
            return route.fulfill(json={**keys[0], "secret": "rag-abcdef"})
        return route.fulfill(json={"data": keys, "has_more": False})

    ready = {"status": "ready", "services": {"Retriever": {"status": "ready", "keys_exist": False}}}
    page.route("**/readyz", lambda route: route.fulfill(json=ready))
    page.route("**/v1/keys**", answer)
    page.evaluate("delete sessionStorage['rag.key']")
    open_view(page, "Service")
    form = page.get_by_role("form", name="Create a key")
    expect(form.get_by_text("From the first key on, every request needs one")).to_be_visible()
    form.get_by_label("Name").fill("operator")
    form.get_by_role("button", name="Create a key").click()
    expect(page.locator(".secret code")).to_have_text("rag-abcdef")
    assert page.evaluate("sessionStorage['rag.key']") == "rag-abcdef"
    assert keys[0]["scopes"] == ["admin"]
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.evaluate("window.confirm = (question) => { window.asked = question; return false; }")
    page.get_by_role("button", name="Revoke operator").click()
    assert "This page uses it" in page.evaluate("window.asked")


def test_the_limits_of_a_key_are_changed_and_it_gets_a_new_secret(page: Page, service: RunningService) -> None:
    created = service.post("/v1/keys", {"name": "crawler", "scopes": ["ingest"], "limits": {"max_documents": 5}}).json()
    open_view(page, "Service")
    row = keys(page).get_by_role("row").filter(has_text="crawler")
    row.get_by_role("button", name="Limits of crawler").click()
    dialog = page.get_by_role("dialog", name="Limits of crawler")
    dialog.get_by_label("Documents").fill("")
    dialog.get_by_label("Tokens per day").fill("20000")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(row).to_contain_text("Tokens per day: 20,000")
    expect(row).not_to_contain_text("Documents: 5")
    row.get_by_role("button", name="New secret for crawler").click()
    page.get_by_role("dialog").get_by_label("The old secret stops working").select_option(label="after an hour")
    page.get_by_role("dialog").get_by_role("button", name="New secret").click()
    secret = page.locator(".secret code").inner_text()
    assert secret != created["secret"]
    assert [status_with(service, each) for each in (secret, created["secret"])] == [200, 200]
    row.get_by_role("button", name="New secret for crawler").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(row.get_by_role("button", name="New secret for crawler")).to_be_focused()


def test_a_key_is_kept_until_the_reader_signs_out(page: Page, service: RunningService) -> None:
    """A wrong key is refused by name of what to do."""
    page.get_by_role("button", name="Sign out").click()
    field = page.get_by_label("This service needs an API key.")
    expect(field).to_be_focused()
    assert ADMIN not in page.evaluate("JSON.stringify([{ ...sessionStorage }, { ...localStorage }])")
    field.fill("wrong")
    field.press("Enter")
    refused = page.get_by_label("The API key was not accepted. Enter another one.")
    refused.fill(ADMIN)
    refused.press("Enter")
    expect(refused).to_have_count(0)
    page.reload()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(field).to_have_count(0)
