"""The job that every cell measures: these documents, these questions, this data folder."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.load import Call
from bench.servers import ROOT, Server, bundle
from rag import config
from rag.chunkers import RecursiveStrategy, chunker_for
from rag.readers import read
from rag.records import ENDED
from rag.types import JsonObject, passage_text
from rag.upload import LocalFile, UploadTarget, select_files, upload_files

INSTANT = "bench.instant_bundle:RAG"
MAX_TOKENS = 64
QUESTIONS = 512
"""At most; distinct questions find distinct passages, so no prefix cache helps anybody."""
STORED = ("milvus.db*", "catalog.db*", "jobs.db*", "files")
"""What documents leave in the data folder; the models stay."""
_POLL_S = (0.05, 1.0)
_HEADING = re.compile(r"^#{1,4}\s+(.{4,100}?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PeerJob:
    uploads: list[LocalFile]
    questions: list[str]
    work: Path
    """For logs and data; gone after the run unless the user named it."""
    quick: bool = False

    @property
    def data_dir(self) -> Path:
        return self.work / "data"

    def log(self, name: str) -> Path:
        return self.work / f"{name}.log"

    def passages(self) -> list[str]:
        """What the encoder is given when these documents are ingested."""
        options = config.load().ingest
        strategy = RecursiveStrategy(options.chunk_chars, int(options.chunk_chars * options.overlap))
        chunker = chunker_for(strategy, None)
        extracts = (read(upload.path, upload.name) for upload in self.uploads)
        return [passage_text(passage) for extract in extracts for passage in chunker.chunk(extract)]

    def asks(self, server: Server, questions: Sequence[str]) -> list[Call]:
        url = server.url + "/ask"
        return [Call(url, {"question": q, "max_tokens": MAX_TOKENS, "temperature": 0.0}) for q in questions]

    def take(self, count: int) -> list[str]:
        """So many questions; from the start again when there are not enough."""
        return [self.questions[i % len(self.questions)] for i in range(count)]

    def ingest(self, server: Server) -> list[JsonObject]:
        """Feed the documents as `python -m rag ingest` does, until all are searchable: what became of each file."""
        with httpx.Client(base_url=server.url, timeout=600) as client:
            outcomes = list(upload_files(UploadTarget(client, {"vector_store": "default"}), self.uploads))
            if refused := [refusal for outcome in outcomes for refusal in outcome.failures]:
                raise RuntimeError(f"{refused[0].name} was refused: {refused[0].message}")
            jobs = [job for outcome in outcomes for job in outcome.jobs]
            for job in jobs:
                _wait(client, job)
            files = [file for job in jobs for file in _files(client, job)]
        if unfinished := [file for file in files if file["status"] != "completed"]:
            raise RuntimeError(f"{unfinished[0]['filename']} is {unfinished[0]['status']}: {unfinished[0]}")
        return files

    def fill(self) -> None:
        """Make sure that the documents are stored."""
        filled = self.data_dir / "filled"
        if not filled.exists():
            self.empty()
            with bundle(self.data_dir, self.log("fill"), INSTANT) as server:
                self.ingest(server)
            filled.touch()

    def empty(self) -> None:
        """Remove all documents; no service may be running."""
        (self.data_dir / "filled").unlink(missing_ok=True)
        for pattern in STORED:
            for path in self.data_dir.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _wait(client: httpx.Client, job_id: str) -> None:
    """Until the job has ended, which is seen late by one part in fifty at most: looking takes the cores' time, too."""
    started = time.monotonic()
    while True:
        response = client.get(f"/v1/jobs/{job_id}").raise_for_status()
        if response.json()["status"] in ENDED:
            return
        least, most = _POLL_S
        time.sleep(min(max((time.monotonic() - started) / 50, least), most))


def _files(client: httpx.Client, job_id: str) -> Iterator[JsonObject]:
    query: dict[str, str] = {"limit": "100"}
    while True:
        page = client.get(f"/v1/jobs/{job_id}/files", params=query).raise_for_status().json()
        yield from page["data"]
        if not page["has_more"]:
            return
        query["after"] = page["last_id"]


def make_job(docs: Sequence[Path], every: int, questions: Path | None, work: Path, *, quick: bool) -> PeerJob:
    """Raises ValueError: there are no documents, or none with a heading and no questions."""
    uploads = select_files([str(path) for path in docs]).files[::every]
    if not uploads:
        raise ValueError("no documents: give a folder with Markdown, text or HTML files by --docs")
    asked = _questions(questions) if questions else []
    wanted = list(dict.fromkeys([*asked, *_made_up(uploads)]))[:QUESTIONS]
    if not wanted:
        raise ValueError("no questions: the documents have no headings; give a file of questions by --questions")
    _make_data_dir(work / "data")
    return PeerJob(uploads, wanted, work, quick)


def own_documents() -> list[Path]:
    """The project's own papers."""
    return [path for path in (ROOT / "docs", *sorted(ROOT.glob("*.md"))) if path.exists()]


def _make_data_dir(data_dir: Path) -> None:
    """A data folder of its own that shares the models with the real one."""
    models = config.load().data_dir.absolute() / "models"
    models.mkdir(parents=True, exist_ok=True)
    data_dir.mkdir(parents=True, exist_ok=True)
    if not (data_dir / "models").exists():
        (data_dir / "models").symlink_to(models)


def _questions(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [str(json.loads(line)["question"]) for line in lines if line.strip()]


def _made_up(uploads: Sequence[LocalFile]) -> Iterator[str]:
    """A question a heading, taken in turns from all documents."""
    headings = [_HEADING.findall(u.path.read_text(encoding="utf-8", errors="replace")) for u in uploads]
    for number in range(max(map(len, headings), default=0)):
        for document in headings:
            if number < len(document):
                yield f"What is said about {document[number].strip('`* ')}?"
