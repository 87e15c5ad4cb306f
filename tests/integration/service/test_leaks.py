"""No request tells a tenant anything about another one, whoever sends it and whatever happens meanwhile."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rag.auth.key_secret import new_secret
from rag.auth.scopes import SCOPES
from tests.e2e.running import RunningService, wait_until
from tests.integration.service.conftest import ADMIN
from tests.support.tenants import Tenant, client, foreign_requests, new_key, new_tenant

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SECRET = "penumbra"
"""In every name and text of the tenant that is not to be noticed."""
WITH_KEY = [*SCOPES, "all scopes", "one vector store", "administrator of another tenant"]
WITHOUT_KEY = ["no key", "unknown key", "revoked key"]


# --- every route, every kind of key -------------------------------------------------------------


class Changes:
    """A tenant whose documents are replaced, deleted and embedded again until `stop`."""

    def __init__(self, service: RunningService, admin: httpx.Client) -> None:
        self.tenant = new_tenant(service, admin, SECRET, f"{SECRET}.md", f"The first text of {SECRET}.")
        self.tenant.http.headers["authorization"] = (
            f"Bearer {new_key(admin, tenant=SECRET, scopes=['admin'])['secret']}"
        )
        self.rounds = 0
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._running = self._pool.submit(self._run)

    def stop(self) -> None:
        self._stopped.set()
        self._running.result()
        self._pool.shutdown()
        self.tenant.http.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._change(self.tenant.http, self.rounds)
            self.rounds += 1

    def _change(self, http: httpx.Client, number: int) -> None:
        names = (f"{SECRET}.md", f"{SECRET}-{number}.md")
        files = [("files", (name, f"Text {number} of {SECRET}, in {name}.".encode())) for name in names]
        batch = http.post("/ingest", files=files, data={"wait_s": "0"}).json()
        self.tenant.job, self.tenant.file_id = batch["batch_id"], batch["files"][1]["file_id"]
        self._finish(batch["batch_id"])
        store = f"/v1/vector_stores/{self.tenant.store}"
        reindexed = http.post(f"{store}/reindex", json={"embedder": None})
        assert reindexed.status_code in (200, 202), reindexed.text
        self.tenant.job = reindexed.json()["id"]
        self._finish(self.tenant.job)
        assert http.delete(f"/v1/files/{self.tenant.file_id}").status_code == 200

    def _finish(self, job: str) -> None:
        def status() -> str:
            return str(self.tenant.http.get(f"/v1/jobs/{job}").json()["status"])

        wait_until(lambda: status() not in ("queued", "running", "in_progress"))
        assert status() == "completed"


@pytest.fixture(scope="module")
def changes(service: RunningService, admin: httpx.Client) -> Iterator[Changes]:
    running = Changes(service, admin)
    yield running
    wait_until(lambda: running.rounds)
    running.stop()


@pytest.fixture(scope="module")
def keys(service: RunningService, admin: httpx.Client) -> Iterator[dict[str, httpx.Client]]:
    """Clients with every kind of key. All but the last belong to one tenant."""

    def secret(**fields: Any) -> str:
        return str(new_key(admin, tenant="prober", **fields)["secret"])

    revoked = new_key(admin, tenant="prober")
    admin.delete(f"/v1/keys/{revoked['id']}")
    secrets: dict[str, str | None] = {scope: secret(scopes=[scope]) for scope in SCOPES}
    secrets |= {"all scopes": secret(scopes=list(SCOPES)), "one vector store": secret(vector_stores=["default"])}
    secrets |= {"no key": None, "unknown key": new_secret(), "revoked key": revoked["secret"]}
    secrets["administrator of another tenant"] = ADMIN
    clients = {kind: client(service, key) for kind, key in secrets.items()}
    yield clients
    for each in clients.values():
        each.close()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "encoded": lambda text: f"%{ord(text[0]):02x}{text[1:]}",
    "beginning": lambda text: text[:-1],
    "pattern": lambda text: text[:6] + quote("%"),
    "with a space": lambda text: text + " ",
    "with a null": lambda text: text + quote("\0"),
}
"""Ways to write an id. All but the first may be refused as invalid."""
PLACES = ("STORE", "FILE", "JOB", "RESPONSE", "CONVERSATION", "ITEM", "COMPLETION", "UPLOAD", "REQUESTS")
EXTRAS = ("", "limit=100", "after=STORE", "before=FILE", "vector_store_id=STORE", "filter=status", "x=JOB")
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"x-rag-caller": f'["key_1","{SECRET}",["admin"],null]'},
    {"x-rag-service-key": ADMIN},
)
NOBODY: Any = None
REQUESTS = list(itertools.chain.from_iterable(foreign_requests(Tenant(NOBODY, *PLACES)).values()))
"""With places where the ids stand."""


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """The value with the ids in their places."""
    if isinstance(value, str):
        return re.sub("|".join(ids), lambda place: ids[place[0]], value)
    if isinstance(value, dict):
        return {key: filled(each, ids) for key, each in value.items()}
    return [filled(each, ids) for each in value] if isinstance(value, list) else value


@settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking would take minutes
@given(
    kind=st.sampled_from([*WITH_KEY, *WITHOUT_KEY]),
    request=st.sampled_from(REQUESTS),
    spelling=st.sampled_from(list(SPELLINGS)),
    order=st.permutations(range(len(PLACES))),
    extra=st.sampled_from(EXTRAS),
    headers=st.sampled_from(HEADERS),
    digits=st.text("0123456789abcdef", min_size=24, max_size=24),
)
def test_an_id_of_another_tenant_is_refused_like_an_unknown_one(
    changes: Changes,
    keys: dict[str, httpx.Client],
    kind: str,
    request: tuple[str, str, Any],
    spelling: str,
    order: list[int],
    extra: str,
    headers: dict[str, str],
    digits: str,
) -> None:
    """Every route with every kind of key, also while the other tenant ingests, deletes and reindexes.

    Args:
    order: Which id stands at each of `PLACES`; usually its own.
    digits: Of the unknown ids.
    """
    victim = changes.tenant
    ids = (victim.store, victim.file_id, victim.job, *victim.kept)
    unknown = tuple(f"{each[: -len(digits)]}{digits}" for each in ids)
    answers = []
    method, path, options = request
    path += f"{'&' if '?' in path else '?'}{extra}" if extra else ""
    for values in (ids, unknown):
        spelled = [SPELLINGS[spelling](values[place]) for place in order]
        sent = filled([path, options], dict(zip(PLACES, spelled, strict=True)))
        answer = keys[kind].request(method, sent[0], headers=headers, **sent[1])
        assert SECRET not in answer.text.lower()
        assert [each for each in ids if each in answer.text and each not in unquote(str(sent))] == []
        answers.append(answer)
    is_usual = spelling == "as it is" and order == list(range(len(PLACES))) and "?" not in path
    expected = {401} if kind in WITHOUT_KEY else {403, 404} if is_usual else {400, 403, 404, 405}
    assert answers[0].status_code in expected, (path, answers[0].text)
    assert told(answers[0], ids) == told(answers[1], unknown)


def told(answer: httpx.Response, ids: tuple[str, ...]) -> tuple[int, list[str], str]:
    """What a client learns from the answer, apart from the ids that it sent."""
    text = answer.text.replace(answer.headers["x-request-id"], "")
    for value, spell in itertools.product(ids, SPELLINGS.values()):
        text = text.replace(spell(value), "ID").replace(unquote(spell(value)), "ID")
    return answer.status_code, sorted(answer.headers), text


# --- tenants that ask at the same time ----------------------------------------------------------

SEALS = {"north": "41 seals", "south": "43 seals"}


@pytest.fixture(scope="module")
def twins(service: RunningService, admin: httpx.Client) -> Iterator[dict[str, Tenant]]:
    """Two tenants whose documents have the same name and differ in one number."""
    text = "The keeper of the archive counted {} in the tower."
    made = {name: new_tenant(service, admin, name, "count.md", text.format(seals)) for name, seals in SEALS.items()}
    yield made
    for each in made.values():
        each.http.close()


ROUTES: dict[str, Callable[[str], dict[str, Any]]] = {
    "/ask": lambda question: {"question": question},
    "/retrieve": lambda question: {"query": question},
    "/v1/vector_stores/default/search": lambda question: {"query": question},
}


@pytest.mark.parametrize("races", [15, pytest.param(200, marks=pytest.mark.long)])
def test_tenants_that_ask_at_the_same_time_get_their_own_passages(twins: dict[str, Tenant], races: int) -> None:
    """The questions are batched together, and some are answered from the caches."""

    def found(name: str, path: str, number: int) -> tuple[bool, ...]:
        question = f"What did the keeper count, {number % 7}?"
        answer = twins[name].http.post(path, json=ROUTES[path](question))
        assert answer.status_code == 200, answer.text
        return tuple(seals in answer.text for seals in SEALS.values())

    asked = list(itertools.product(twins, ROUTES))
    with ThreadPoolExecutor(len(asked)) as pool:
        for number in range(races):
            answers = pool.map(found, *zip(*asked, strict=True), itertools.repeat(number))
            for (name, path), seals in zip(asked, answers, strict=True):
                assert seals == (name == "north", name == "south"), (number, name, path)


def test_idempotency_keys_of_tenants_are_separate(twins: dict[str, Tenant]) -> None:
    files, same = {"files": ("once.md", b"Counted once.")}, {"idempotency-key": "the same for all"}
    jobs: dict[str, str] = {}
    for name in ("north", "south", "north", "south"):
        answer = twins[name].http.post("/ingest", files=files, data={"wait_s": "100"}, headers=same).json()
        assert jobs.setdefault(name, answer["batch_id"]) == answer["batch_id"]
        attached = (
            twins[name]
            .http.post(
                "/v1/vector_stores/default/file_batches",
                json={"file_ids": [answer["files"][0]["file_id"]]},
                headers={"idempotency-key": "another"},
            )
            .json()
        )
        assert jobs.setdefault(f"{name}, attached", attached["id"]) == attached["id"]
    assert len(set(jobs.values())) == 4
