"""The workload that every cell measures: documents, questions and a data folder."""

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

INSTANT_BUNDLE = "bench.instant_bundle:RAG"
MAX_TOKENS = 64
MAX_QUESTIONS = 512
"""At most. Distinct questions find distinct passages, so that no prefix cache skews the results."""
DOCUMENT_FILES = ("milvus.db*", "catalog.db*", "jobs.db*", "files")
"""Files in the data folder that belong to documents; models are not among them."""
_POLL_S = (0.05, 1.0)
_HEADING = re.compile(r"^#{1,4}\s+(.{4,100}?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Workload:
    uploads: list[LocalFile]
    questions: list[str]
    work: Path
    """Folder for logs and data; temporary unless the user chose it."""
    quick: bool = False
    without_engine: bool = False
    """Use a stub language model where the cell measures something else, too."""

    @property
    def data_dir(self) -> Path:
        return self.work / "data"

    def copied_data_dir(self, name: str) -> Path:
        """A copy of the data folder: only one process can open a Milvus Lite file. Models are linked."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "models").symlink_to(self.data_dir / "models")
        for pattern in DOCUMENT_FILES:
            for path in self.data_dir.glob(pattern):
                (shutil.copytree if path.is_dir() else shutil.copy2)(path, folder / path.name)
        return folder

    def log(self, name: str) -> Path:
        return self.work / f"{name}.log"

    def passages(self) -> list[str]:
        """The texts that the encoder receives when these documents are ingested."""
        options = config.load().ingest
        strategy = RecursiveStrategy(options.chunk_chars, int(options.chunk_chars * options.overlap))
        chunker = chunker_for(strategy, None)
        extracts = (read(upload.path, upload.name) for upload in self.uploads)
        return [passage_text(passage) for extract in extracts for passage in chunker.chunk(extract)]

    def asks(self, server: Server, questions: Sequence[str]) -> list[Call]:
        url = server.url + "/ask"
        return [Call(url, {"question": q, "max_tokens": MAX_TOKENS, "temperature": 0.0}) for q in questions]

    def take(self, count: int) -> list[str]:
        """`count` questions, repeated from the start if there are not enough."""
        return [self.questions[i % len(self.questions)] for i in range(count)]

    def ingest(self, server: Server) -> list[JsonObject]:
        """Ingest the documents as `python -m rag ingest` does and wait for them. Returns a row for each file."""
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
        """Ingest the documents unless that has been done."""
        filled = self.data_dir / "filled"
        if not filled.exists():
            self.empty()
            with bundle(self.data_dir, self.log("fill"), INSTANT_BUNDLE) as server:
                self.ingest(server)
            filled.touch()

    def empty(self) -> None:
        """Remove all documents. The service must not be running."""
        (self.data_dir / "filled").unlink(missing_ok=True)
        for pattern in DOCUMENT_FILES:
            for path in self.data_dir.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _wait(client: httpx.Client, job_id: str) -> None:
    """Wait until the job has ended. Polls at growing intervals: little CPU time, and an error of at most 2 %."""
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


def make_workload(
    docs: Sequence[Path],
    every: int,
    questions: Path | None,
    work: Path,
    *,
    quick: bool,
    without_engine: bool = False,
) -> Workload:
    """Raises ValueError if there are no documents, or neither headings nor questions."""
    uploads = select_files([str(path) for path in docs]).files[::every]
    if not uploads:
        raise ValueError("no documents: pass a folder with Markdown, text or HTML files as --docs")
    asked = _questions(questions) if questions else []
    wanted = list(dict.fromkeys([*asked, *_heading_questions(uploads)]))[:MAX_QUESTIONS]
    if not wanted:
        raise ValueError("no questions: the documents have no headings; pass a file with questions as --questions")
    _make_data_dir(work / "data")
    return Workload(uploads, wanted, work, quick, without_engine)


def own_documents() -> list[Path]:
    """This project's documentation."""
    return [path for path in (ROOT / "docs", *sorted(ROOT.glob("*.md"))) if path.exists()]


def _make_data_dir(data_dir: Path) -> None:
    """A separate data folder that links to the models of the real one."""
    models = config.load().data_dir.absolute() / "models"
    models.mkdir(parents=True, exist_ok=True)
    data_dir.mkdir(parents=True, exist_ok=True)
    if not (data_dir / "models").exists():
        (data_dir / "models").symlink_to(models)


def _questions(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [str(json.loads(line)["question"]) for line in lines if line.strip()]


def _heading_questions(uploads: Sequence[LocalFile]) -> Iterator[str]:
    """One question for each heading, taken from all documents in turn."""
    headings = [_HEADING.findall(u.path.read_text(encoding="utf-8", errors="replace")) for u in uploads]
    for number in range(max(map(len, headings), default=0)):
        for document in headings:
            if number < len(document):
                yield f"What is said about {document[number].strip('`* ')}?"
