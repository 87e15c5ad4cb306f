"""Documents of a running service: OpenAI's client, hostile files, jobs that survive, another embedding model."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

from tests.e2e.running import LIMIT_S, ROOT, RunningService, wait_until
from tests.integration.service.conftest import ADMIN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

HOSTILE = ROOT.parent / "shared" / "data" / "hostile"


@pytest.fixture
def client(service: RunningService) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=service.url + "/v1", api_key=ADMIN, max_retries=0) as client:
        yield client


@pytest.fixture
def store(client: openai.OpenAI) -> Iterator[str]:
    made = client.vector_stores.create(name="documents")
    yield made.id
    client.vector_stores.delete(made.id)


def retrieve(service: RunningService, query: str, **options: Any) -> list[dict[str, Any]]:
    response = service.post("/retrieve", {"query": query, **options})
    assert response.status_code == 200, response.text
    hits: list[dict[str, Any]] = response.json()["hits"]
    return hits


def words(count: int, topic: str) -> bytes:
    return b"\n\n".join(f"{topic} paragraph {n} tells of {topic} number {n}.".encode() for n in range(count))


def docx(text: str) -> bytes:
    """The smallest Word document."""
    document = f'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>'
    types = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'  # noqa: E501
    rels = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>'  # noqa: E501
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in (
            ("[Content_Types].xml", types),
            ("_rels/.rels", rels),
            ("word/document.xml", document),
        ):
            archive.writestr(name, content)
    return buffer.getvalue()


def test_all_document_routes_with_openais_client(client: openai.OpenAI, store: str, service: RunningService) -> None:
    first = client.files.create(file=("guide/walrus.docx", docx("A walrus has two long tusks.")), purpose="assistants")
    done = client.vector_stores.files.create_and_poll(first.id, vector_store_id=store, attributes={"animal": "walrus"})
    assert (done.status, done.last_error) == ("completed", None)
    uploads = [("puffin.txt", b"A puffin nests in burrows."), ("broken.pdf", b"%PDF-1.4 and nothing more")]
    batch = client.vector_stores.file_batches.upload_and_poll(
        store,
        files=uploads,
        chunking_strategy={"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 10}},
    )
    assert (batch.status, batch.file_counts.completed, batch.file_counts.failed) == ("completed", 1, 1)
    (failed,) = client.vector_stores.files.list(store, filter="failed").data
    assert failed.last_error is not None
    assert "broken.pdf" in failed.last_error.message
    assert len(list(client.vector_stores.files.list(store, limit=1))) == 3
    walrus: Any = {"type": "eq", "key": "animal", "value": "walrus"}
    found = client.vector_stores.search(store, query="tusks", filters=walrus)
    assert (found.data[0].filename, found.data[0].file_id) == ("guide/walrus.docx", first.id)
    changed = client.vector_stores.files.update(first.id, vector_store_id=store, attributes={"animal": "seal"})
    assert changed.attributes == {"animal": "seal"}
    assert not client.vector_stores.search(store, query="tusks", filters=walrus).data
    text = next(iter(client.vector_stores.files.content(first.id, vector_store_id=store))).text
    assert text == "A walrus has two long tusks."
    assert client.files.content(first.id).read()[:2] == b"PK"
    client.vector_stores.files.delete(first.id, vector_store_id=store)
    assert "walrus" not in str(retrieve(service, "walrus tusks", vector_store=store))
    client.files.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(first.id)


def test_a_question_sees_one_version_while_it_is_replaced(service: RunningService) -> None:
    name = "versions.md"
    service.ingest({name: words(40, "alpha")})
    seen: list[set[str]] = []
    stop = threading.Event()

    def topics() -> set[str]:
        filters = {"type": "eq", "key": "filename", "value": name}
        hits = retrieve(service, "paragraph tells of number", top_k=20, filters=filters)
        return {hit["text"].split()[0] for hit in hits}

    def ask() -> None:
        while not stop.is_set():
            seen.append(topics())

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            for topic in ("beta", "gamma", "delta"):
                service.ingest({name: words(40, topic)})
                assert topics() == {topic}, "the upload was answered, so questions see it"
        finally:
            stop.set()
        for one in asking:
            one.result()
    assert all(len(topics) == 1 for topics in seen), seen
    assert len(set.union(*seen)) > 1


def test_a_whole_answer_agrees_with_the_streamed_one(service: RunningService) -> None:
    service.ingest({"quokka.md": b"The quokka lives on Rottnest Island."})
    body = {"question": "Where does the quokka live?", "temperature": 0}
    streamed, answer = service.stream("/ask", body), service.post("/ask", {**body, "stream": False})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    whole = answer.json()
    assert whole["answer"] == streamed.text
    assert whole["sources"][0]["filename"] == "quokka.md"
    assert whole["sources"] == streamed.data("sources")["sources"]
    done = streamed.data("done")
    assert {name: value for name, value in whole.items() if name in done and name != "timings_ms"} == {
        name: value for name, value in done.items() if name != "timings_ms"
    }
    assert whole["usage"]["completion_tokens"] == streamed.data("usage")["completion_tokens"]


@pytest.mark.long
def test_cancelling_stops_the_job_and_keeps_the_previous_version(
    service: RunningService, client: openai.OpenAI
) -> None:
    service.ingest({"kept.md": b"# Kept\n\nThe heron stands still."})
    taken = service.ingest({"kept.md": words(2_500, "heron")}, wait_s="0")
    job = taken["batch_id"]
    wait_until(lambda: service.get(f"/v1/jobs/{job}").json()["progress"]["chunks"])
    cancelled = service.post(f"/v1/jobs/{job}/cancel", {}).json()
    assert (cancelled["status"], cancelled["file_counts"]["cancelled"]) == ("cancelled", 1)
    hits = retrieve(service, "heron", filters={"type": "eq", "key": "filename", "value": "kept.md"})
    assert [hit["text"] for hit in hits] == ["# Kept\n\nThe heron stands still."]


def test_an_idempotency_key_creates_one_job(service: RunningService) -> None:
    def send(content: bytes) -> httpx.Response:
        part = {"files": ("keyed.md", content)}
        return httpx.post(
            service.url + "/ingest",
            files=part,
            headers={**service.headers, "Idempotency-Key": "documents-1"},
            timeout=LIMIT_S,
        )

    first, again = send(b"# Keyed"), send(b"# Keyed")
    assert first.json()["batch_id"] == again.json()["batch_id"]
    assert send(b"# Other").status_code == 409


@pytest.mark.long  # tests/integration/test_hostile_files.py is the short form
@pytest.mark.skipif(not HOSTILE.is_dir(), reason=f"{HOSTILE} is not there: it is not part of this repository")
def test_hostile_files_do_not_affect_the_service(service: RunningService, client: openai.OpenAI, store: str) -> None:
    answers: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(service.post("/retrieve", {"query": "Gutenberg"}).status_code)
            time.sleep(0.2)

    asking = threading.Thread(target=ask)
    asking.start()
    before = {process.pid for process in service.processes()}
    folders = ("pdf_*", "office", "html", "generated")
    paths = sorted(p for folder in folders for p in HOSTILE.glob(f"{folder}/*") if p.name != "one_line_2MB.txt")
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda path: client.files.create(file=path, purpose="assistants"), paths))
    names = {file.filename: file.id for file in files}  # of several files with one name, the last one counts
    batch = client.vector_stores.file_batches.create_and_poll(store, file_ids=sorted(names.values()))
    stop.set()
    asking.join()
    assert batch.status == "completed"
    assert batch.file_counts.completed + batch.file_counts.failed == len(names)
    assert batch.file_counts.completed > 60
    for row in client.vector_stores.files.list(store, filter="failed"):
        assert row.last_error is not None
        assert row.last_error.code != "server_error", row
    assert set(answers) == {200}
    readers = [p for p in service.processes() if p.pid not in before]
    assert not [p for p in readers if p.children()], "a child process of the parser was not ended"


@pytest.mark.skipif(not HOSTILE.is_dir(), reason=f"{HOSTILE} is not there: it is not part of this repository")
def test_hostile_names_are_refused_or_kept_as_names(service: RunningService) -> None:
    data = (HOSTILE / "generated" / "FILENAMES.txt").read_bytes().decode("utf-8", "replace")
    for name in [line for line in data.splitlines() if line]:
        boundary = "x" * 20
        part = f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n\r\nhello'
        head = f"--{boundary}\r\n{part}\r\n--{boundary}--\r\n"
        response = httpx.post(
            service.url + "/ingest",
            content=head.encode(),
            headers={**service.headers, "content-type": f"multipart/form-data; boundary={boundary}"},
            timeout=60,
        )
        assert response.status_code in (200, 202, 400, 415), (name, response.text)


@pytest.mark.long  # tests/integration/library/documents/test_reindex.py is the short form
def test_changing_the_embedding_model_without_downtime(
    service: RunningService, client: openai.OpenAI, tmp_path: Path
) -> None:
    model = small_encoder(tmp_path)
    made = client.vector_stores.create(name="moving")
    service.ingest({f"{n}.md": words(30, f"topic{n}") for n in range(5)}, vector_store=made.id)
    job = service.post(f"/v1/vector_stores/{made.id}/reindex", {"embedder": str(model)}).json()
    statuses = []
    while (state := service.get(f"/v1/jobs/{job['id']}").json())["status"] in ("queued", "running"):
        statuses.append(bool(retrieve(service, "topic3 paragraph", vector_store=made.id)))
    assert state["status"] == "completed", state
    assert all(statuses)
    assert service.get(f"/v1/vector_stores/{made.id}").json()["embedder"] == str(model)
    assert "topic3" in retrieve(service, "topic3 paragraph", vector_store=made.id)[0]["text"]
    back = service.post(f"/v1/vector_stores/{made.id}/reindex/rollback", {}).json()
    while (state := service.get(f"/v1/jobs/{back['id']}").json())["status"] in ("queued", "running"):
        time.sleep(0.1)
    assert state["status"] == "completed", state
    assert retrieve(service, "topic3 paragraph", vector_store=made.id)
    client.vector_stores.delete(made.id)


def small_encoder(folder: Path) -> Path:
    """The embedded encoder's first two layers, as a different model that is quick to build."""
    from sentence_transformers import SentenceTransformer

    from rag import config
    from rag.adapters import model_files

    model = SentenceTransformer(model_files.embedder_folder(config.load()), device="cpu")
    transformer: Any = model[0].auto_model
    transformer.encoder.layer = transformer.encoder.layer[:2]
    transformer.config.num_hidden_layers = 2
    target = folder / "small-encoder"
    model.save(str(target))
    return target


@pytest.mark.long  # tests/integration/durability/test_crash.py is the short form
def test_a_killed_retriever_loses_nothing(service: RunningService) -> None:
    content = {f"survivor-{n}.md": words(150, f"survivor{n}") for n in range(6)}
    job = service.ingest(content, wait_s="0")["batch_id"]
    wait_until(lambda: service.get(f"/v1/jobs/{job}").json()["progress"]["chunks"])
    os.kill(retriever(service).pid, signal.SIGKILL)
    deadline = time.monotonic() + LIMIT_S
    state: dict[str, Any] = {}
    while state.get("status") != "completed":
        assert time.monotonic() < deadline, state
        time.sleep(0.5)
        try:
            state = service.get(f"/v1/jobs/{job}").json()
        except httpx.TransportError:
            continue
    assert state["file_counts"]["completed"] == len(content)
    service.wait_until_ready()
    for n in range(6):
        filters = {"type": "eq", "key": "filename", "value": f"survivor-{n}.md"}
        hits = retrieve(service, f"survivor{n} paragraph", top_k=100, filters=filters)
        assert len({hit["chunk_id"] for hit in hits}) == len(hits) > 10


def retriever(service: RunningService) -> psutil.Process:
    return next(p for p in service.processes() if "Retriever" in " ".join(p.cmdline()))


def test_the_counted_input_tokens_are_those_that_are_read(client: openai.OpenAI, store: str) -> None:
    with io.BytesIO(b"The axolotl lives in the lakes of Mexico.") as file:
        client.vector_stores.files.upload_and_poll(vector_store_id=store, file=("axolotl.md", file))
    request: Any = {
        "model": "rag",
        "input": "Where does the axolotl live?",
        "tools": [{"type": "file_search", "vector_store_ids": [store]}],
    }
    counted = client.responses.input_tokens.count(**request).input_tokens
    usage = client.responses.create(**request).usage
    assert usage is not None
    assert counted == usage.input_tokens > 50
    plain = [client.responses.input_tokens.count(model="instant", input=text).input_tokens for text in ("a", "a b c d")]
    assert 0 < plain[0] < plain[1] < 100
