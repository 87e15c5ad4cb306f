"""Groups within a tenant, and signed tokens. Whoever does not belong to a document's group cannot see or notice it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest

from tests.e2e.running import LIMIT_S, RunningService, wait_until
from tests.integration.service.conftest import ISSUER, SIGNING_KEY
from tests.support.tenants import (
    SECRET_NAME,
    SECRET_TEXT,
    Tenant,
    client,
    foreign_requests,
    new_batch,
    new_key,
    new_response,
    new_upload,
    state_of,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

CHANGES_WHAT_IT_MAY = {"update_vector_store", "ingest"}
"""Operations on a vector store that everyone in its tenant with the scope `ingest` may carry out."""
NAME_THE_VECTOR_STORE_ALONE = {
    *("get_vector_store", "search_vector_store", "list_documents", "list_jobs", "list_vector_stores"),
    *("retrieve", "ask", "create_chat_completion", "create_response", "count_response_input_tokens"),
}
"""Operations that succeed, since the vector store is not restricted, but show nothing of the document."""


@dataclass
class Guild:
    """A tenant with a document for the group `masters`: a member of it, and one who belongs to another group."""

    member: Tenant
    outsider: httpx.Client


@pytest.fixture(scope="module")
def guild(service: RunningService, admin: httpx.Client) -> Iterator[Guild]:
    keys = [new_key(admin, tenant="guild", groups=[group]) for group in ("masters", "novices")]
    assert [key["groups"] for key in keys] == [["masters"], ["novices"]]
    masters, novices = (client(service, key["secret"]) for key in keys)
    data = {"wait_s": "100", "read_groups": '["masters"]'}
    job = masters.post("/ingest", files={"files": (SECRET_NAME, SECRET_TEXT.encode())}, data=data).json()
    assert [file["status"] for file in job["files"]] == ["completed"], job
    novices.post("/ingest", files={"files": ("owl.md", b"The owl of the guild sleeps.")}, data={"wait_s": "100"})
    store = masters.get("/v1/vector_stores/default").json()["id"]
    kept = (*new_response(masters, SECRET_TEXT), new_upload(masters), new_batch(masters))
    yield Guild(Tenant(masters, store, job["files"][0]["file_id"], job["batch_id"], *kept), novices)
    masters.close()
    novices.close()


def test_no_route_shows_a_document_of_another_group(guild: Guild) -> None:
    before = state_of(guild.member)
    for operation, examples in foreign_requests(guild.member).items():
        for method, path, options in examples if operation not in CHANGES_WHAT_IT_MAY else ():
            answer = guild.outsider.request(method, path, **options)
            shown = (operation, path, answer.status_code, answer.text[:500])
            assert SECRET_NAME not in answer.text, shown
            assert "third bridge" not in answer.text, shown
            if "?after=" in path and operation != "list_vector_stores":
                assert answer.status_code == 400, shown
            elif names_the_document(guild.member, path, options):
                assert answer.status_code == 404, shown
            elif operation in NAME_THE_VECTOR_STORE_ALONE:
                assert answer.status_code == 200, shown
            else:
                assert answer.status_code in (403, 409), shown
    assert state_of(guild.member) == before


def names_the_document(tenant: Tenant, path: str, options: Any) -> bool:
    """Whether the request names its file, the job that added it, or something that was kept of a question about it."""
    return any(value in f"{path} {options}" for value in (tenant.file_id, tenant.job, *tenant.kept))


def test_counts_and_lists_are_those_of_the_caller(guild: Guild) -> None:
    for http, names in ((guild.outsider, {"owl.md"}), (guild.member.http, {"owl.md", SECRET_NAME})):
        store = http.get("/v1/vector_stores/default").json()
        assert store["file_counts"]["total"] == len(names)
        assert http.get("/v1/vector_stores").json()["data"][0]["usage_bytes"] == store["usage_bytes"]
        assert {file["filename"] for file in http.get("/v1/files").json()["data"]} == names
        assert {file["filename"] for file in http.get("/v1/vector_stores/default/files").json()["data"]} == names
        assert len(http.get("/v1/jobs").json()["data"]) == len(names)


def test_answers_are_made_of_what_the_caller_may_read(guild: Guild) -> None:
    """Also when the answers come from the caches, and when the questions of both are searched in one batch."""
    messages = [{"role": "user", "content": "Where does the zebra sleep?"}]
    file_search = {"tools": [{"type": "file_search", "vector_store_ids": [guild.member.store]}]}
    include = {"include": ["file_search_call.results"]}
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/ask", {"question": "Where does the zebra sleep?", "temperature": 0}),
        ("/retrieve", {"query": "zebra", "explain": True}),
        ("/retrieve", {"query": "zebra", "filters": {"type": "eq", "key": "filename", "value": SECRET_NAME}}),
        ("/v1/vector_stores/default/search", {"query": "zebra"}),
        ("/v1/chat/completions", {"model": "rag", "messages": messages}),
        ("/v1/responses", {"model": "rag", "input": "Where does the zebra sleep?", **file_search, **include}),
    ]

    def answer(number: int) -> tuple[bool, str, str]:
        path, body = requests[number // 2 % len(requests)]
        http = (guild.member.http, guild.outsider)[number % 2]
        return http is guild.outsider, path, http.post(path, json=body).text

    with ThreadPoolExecutor(12) as pool:
        for is_outsider, path, text in pool.map(answer, range(12 * len(requests))):
            assert (SECRET_NAME in text or "third bridge" in text) != is_outsider, (path, text[:2000])


def test_a_document_of_another_group_cannot_be_replaced(guild: Guild) -> None:
    for extra in ({}, {"read_groups": "[]"}, {"read_groups": '["novices"]'}):
        answer = guild.outsider.post("/ingest", files={"files": (SECRET_NAME, b"Mine.")}, data=extra)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert guild.member.http.get(f"/v1/files/{guild.member.file_id}/content").text == SECRET_TEXT


def test_groups_cannot_be_forged(guild: Guild) -> None:
    forged = json.dumps(["key_1", "guild", ["ask"], None, ["masters"]])
    path = f"/v1/vector_stores/default/files/{guild.member.file_id}"
    assert guild.outsider.get(path, headers={"x-rag-caller": forged}).status_code == 404
    for attributes in ({"$read_groups": "novices"}, {"$read_groups": True}):
        refused = guild.outsider.post(
            "/ingest", files={"files": ("x.md", b"x")}, data={"attributes": json.dumps(attributes)}
        )
        assert (refused.status_code, "read_groups" in refused.json()["error"]["message"]) == (400, True)
    for filters in ({"type": "eq", "key": "$read_groups", "value": "masters"},):
        refused = guild.outsider.post("/retrieve", json={"query": "zebra", "filters": filters})
        assert refused.status_code == 400
    refused = guild.outsider.post("/ingest", files={"files": ("x.md", b"x")}, data={"read_groups": '["masters"]'})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "read_groups")


def test_groups_of_a_document_can_be_changed(guild: Guild) -> None:
    files = "/v1/vector_stores/default/files"
    created = guild.member.http.post(
        "/v1/files", files={"file": ("plan.md", b"The heron of the plan.")}, data={"read_groups": '["masters"]'}
    ).json()
    assert created["read_groups"] == ["masters"]
    one = f"{files}/{created['id']}"
    assert guild.outsider.get(f"/v1/files/{created['id']}").status_code == 404
    assert guild.member.http.post(files, json={"file_id": created["id"]}).json()["read_groups"] == ["masters"]
    wait_until(lambda: guild.member.http.get(one).json()["status"] == "completed", LIMIT_S)
    for groups in ([], ["masters", "novices"], ["masters"]):
        changed = guild.member.http.post(one, json={"read_groups": groups})
        assert (changed.status_code, changed.json()["read_groups"]) == (200, groups)
        hits = guild.outsider.post("/retrieve", json={"query": "heron of the plan"}).text
        assert ("The heron" in hits) == (groups != ["masters"])
        assert guild.outsider.get(f"{one}/content").status_code == (404 if groups == ["masters"] else 200)
    invalid: list[Any] = [["novices"], "masters", [""], [7]]
    for groups in invalid:
        refused = guild.member.http.post(one, json={"read_groups": groups})
        assert (refused.status_code, refused.json()["error"]["param"].split(".")[0]) == (400, "read_groups")
    assert guild.member.http.delete(f"/v1/files/{created['id']}").status_code == 200


# --- signed tokens -----------------------------------------------------------------------------


def signed(**claims: Any) -> str:
    valid = {"iss": ISSUER, "aud": "rag", "sub": "ada", "exp": int(time.time()) + 600}
    return jwt.encode({**valid, **claims}, SIGNING_KEY, "RS256", {"kid": "1"})


def test_a_signed_token_tells_tenant_groups_and_scopes(service: RunningService, guild: Guild) -> None:
    for groups, found in ((["masters"], True), (["novices"], False), ([], False)):
        with client(service, signed(org="guild", scope="openid ask", groups=groups)) as http:
            assert ("third bridge" in http.post("/retrieve", json={"query": "zebra"}).text) == found
            assert http.get(f"/v1/files/{guild.member.file_id}").status_code == (200 if found else 404)
            assert http.post("/generate", json={"prompt": "x"}).status_code == 403
            assert http.get("/v1/keys").status_code == 403
    with client(service, signed(org="new-tenant", scope="ask ingest", groups=["masters"])) as http:
        assert http.get("/v1/vector_stores/default").json()["file_counts"]["total"] == 0


def test_invalid_tokens_are_refused(service: RunningService) -> None:
    for token, reason in (
        (signed(org="guild", exp=1), "has expired"),
        (signed(org="guild", aud="other"), "is for another audience"),
        (signed(), "does not name a tenant"),
        (f"{signed(org='guild')[:-9]}AAAAAAAAA", "has an invalid signature"),
    ):
        with client(service, token) as http:
            refused = http.get("/v1/models")
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
            assert refused.json()["error"]["message"].endswith(reason)
