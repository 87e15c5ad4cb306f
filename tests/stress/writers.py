"""`python -m tests.stress.writers`: concurrent writers in one process, and readers who must see whole documents only.

Each writer has filenames of its own and shares others. Accepted changes are recorded in their order. When all jobs
have ended, the store is compared with them.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.in_process_retriever import STORE, InProcessRetriever, in_process_retriever, slow_embedders
from rag.catalog.documents.documents import ingested_file_id
from rag.errors import Conflict, NotFound
from rag.records import Cursor
from rag.types import SearchMode
from tests.stress.crash_checks import Damage, check_blobs, check_documents, check_rows, check_states
from tests.stress.crash_records import Records
from tests.stress.expected_state import AcceptedVersion, ExpectedState

_SHARED = [f"shared-{n}.txt" for n in range(8)]
_OWN = 4
_HOT = "hot.txt"
_HOT_CHUNKS = 5
_MODES: tuple[SearchMode, ...] = ("dense", "keyword", "hybrid")
_ALL = Cursor(1000, "asc")
_JOBS_TIMEOUT_S = 600.0


@dataclass(slots=True)
class WriterOutcome:
    did: Counter[str] = field(default_factory=Counter)
    damage: Damage = field(default_factory=Damage)
    drain_s: float = 0.0
    """Seconds until all jobs had ended, after the writers had stopped."""

    def line(self) -> str:
        did = ", ".join(f"{count} {what}" for what, count in self.did.most_common())
        found = ", ".join(f"{kind} {len(what)}" for kind, what in self.damage.found.items()) or "nothing wrong"
        return f"{did}; {self.drain_s:.1f} s to finish the jobs; {found}"


class Writers:
    """Concurrent writers and readers.

    Args:
        side: An empty document side.
    """

    def __init__(self, side: InProcessRetriever, seed: int) -> None:
        self._side = side
        self._seed = seed
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._turns = {name: threading.Lock() for name in _SHARED}
        self._numbers = itertools.count(1)
        self._model = ExpectedState()
        self.outcome = WriterOutcome()

    def run(self, writers: int, readers: int, seconds: float) -> None:
        self._replace_hot()
        work: list[Callable[[], None]] = [self._keep_hot]
        work += [self._writer(number) for number in range(writers)]
        work += [self._reader(number) for number in range(readers)]
        threads = [threading.Thread(target=self._guarded, args=(one,)) for one in work]
        for thread in threads:
            thread.start()
        self._stop.wait(seconds)
        self._stop.set()
        for thread in threads:
            thread.join()

    def compare(self, folder: Path) -> None:
        """Wait for all jobs, then compare what is stored with what was accepted."""
        started, side, damage = time.monotonic(), self._side, self.outcome.damage
        while not side.is_idle:
            if time.monotonic() - started > _JOBS_TIMEOUT_S:
                damage.add("lost", "jobs have not ended")
                return
            time.sleep(0.05)
        self.outcome.drain_s = time.monotonic() - started
        side.runtime.janitor.clean()
        records = Records(folder)
        rows = side.store.chunk_ids(side.collection)
        state = {"rows": rows, "count": side.store.count(side.collection)}
        check_states(records, self._model, damage)
        check_documents(records, self._model, damage)
        check_rows(records, state, damage)
        check_blobs(records, damage, all_gone=True)
        for name in sorted(self._model.documents):
            self._check_text(name)
        self.outcome.did["rows"] = len(rows)
        self.outcome.did["documents"] = len(self._model.documents)

    def _check_text(self, name: str) -> None:
        visible_version, damage = self._model.visible_version(name), self.outcome.damage
        if visible_version is None:
            return
        if (
            self._side.library.extract(STORE, ingested_file_id(STORE, name)).text.strip()
            != visible_version.text.strip()
        ):
            damage.add("lost", f"{name}: its text differs")
        for mode in _MODES:
            hits = self._side.search(visible_version.text.split()[0], mode, 10, _only(name)).hits
            if not hits or any(dict(hit.chunk.attributes) != visible_version.attributes for hit in hits):
                damage.add("lost", f"{name}: {mode} search finds {len(hits)} chunks, or their attributes differ")

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            with self._lock:
                self.outcome.damage.add("errors", f"{type(error).__name__}: {error}")
            raise

    # --- writing -----------------------------------------------------------------------------

    def _writer(self, number: int) -> Callable[[], None]:
        chance, own = random.Random(self._seed * 1000 + number), [f"own-{number}-{n}.txt" for n in range(_OWN)]

        def work() -> None:
            while not self._stop.is_set():
                names = chance.sample(own, chance.choice((1, 1, 2))) + chance.sample(_SHARED, chance.choice((0, 1)))
                with self._turn(names):
                    job_id = self._change(chance, names)
                if job_id is not None and chance.random() < 0.8:
                    self._side.library.wait(job_id, 30)

        return work

    @contextmanager
    def _turn(self, names: Sequence[str]) -> Iterator[None]:
        """Serialise changes of shared filenames, so that their order is known. The jobs still run concurrently."""
        with ExitStack() as stack:
            for name in sorted(set(names) & set(_SHARED)):
                stack.enter_context(self._turns[name])
            yield

    def _change(self, chance: random.Random, names: Sequence[str]) -> str | None:
        kind = chance.random()
        name = names[-1]
        if kind < 0.12:
            self._ask("deleted", name, lambda: self._side.library.delete_document(STORE, ingested_file_id(STORE, name)))
        elif kind < 0.30:
            attributes = {"order": next(self._numbers)}
            self._ask(
                "changed",
                name,
                lambda: self._side.library.set_attributes(STORE, ingested_file_id(STORE, name), attributes),
                attributes,
            )
        elif kind < 0.36:
            self._side.search(name, chance.choice(_MODES))
            self._count("searches")
        else:
            return self._upload(chance, names)
        return None

    def _ask(self, what: str, name: str, order: Callable[[], Any], *more: Any) -> None:
        try:
            order()
        except NotFound:
            with self._lock:
                exists = name in self._model.documents
                if exists:
                    self.outcome.damage.add("lost", f"{name} exists, but was not found when it was to be {what}")
            return
        except Conflict:
            self._count("conflicts")
            # Pending versions have the new attributes already; the visible version keeps the old ones if it stays.
            with self._lock:
                self._model.possibly_changed(name, *more)
            return
        with self._lock:
            getattr(self._model, what)(name, *more)
            self.outcome.did[what] += 1

    def _upload(self, chance: random.Random, names: Sequence[str], paragraphs: int | None = None) -> str:
        mark = f"mark{next(self._numbers)}"
        texts = {name: _text(mark, name, paragraphs or chance.choice((1, 1, 3, 8)), chance) for name in names}
        attributes = {"team": chance.choice("abc")}
        uploads = [self._side.upload(name, text.encode()) for name, text in texts.items()]
        job = self._side.library.ingest(STORE, uploads, attributes)
        rows = self._side.library.job_files(job.job_id, _ALL).rows
        with self._lock:
            for row in rows:
                text = texts[row.filename]
                accepted = AcceptedVersion(row.version, row.filename, text, attributes, is_broken=not text.strip())
                self._model.uploaded(accepted)
            self.outcome.did["uploads"] += len(rows)
        return job.job_id

    def _count(self, what: str) -> None:
        with self._lock:
            self.outcome.did[what] += 1

    # --- reading -----------------------------------------------------------------------------

    def _replace_hot(self) -> None:
        job_id = self._upload(random.Random(next(self._numbers)), [_HOT], _HOT_CHUNKS)
        self._side.library.wait(job_id, 60)
        self._count("replacements of the document that is read")

    def _keep_hot(self) -> None:
        while not self._stop.is_set():
            self._replace_hot()

    def _reader(self, number: int) -> Callable[[], None]:
        """A document that is constantly being replaced is always found complete, in one version."""

        def work() -> None:
            for mode in itertools.cycle(_MODES):
                if self._stop.is_set():
                    return
                hits = self._side.search("hot document", mode, 20, _only(_HOT)).hits
                marks = {hit.chunk.text.split()[0] for hit in hits}
                seen = {hit.chunk.version_id for hit in hits}
                if len(hits) != _HOT_CHUNKS or len(marks) != 1 or len(seen) != 1:
                    with self._lock:
                        self.outcome.damage.add("torn", f"{mode}: {len(hits)} chunks, {sorted(seen)}, {sorted(marks)}")
                self._count("reads")

        return work


def _only(filename: str) -> dict[str, str]:
    return {"type": "eq", "key": "filename", "value": filename}


def _text(mark: str, name: str, paragraphs: int, chance: random.Random) -> str:
    if name != _HOT and chance.random() < 0.05:
        return " \n"  # without text: parsing fails
    filler = "a paragraph that is long enough to be a chunk of its own, whatever is said in it and by whom it is said"
    return "\n\n".join(f"{mark} {name} hot document part {part}: {filler}" for part in range(paragraphs))


def run(folder: Path, writers: int, seconds: float, *, readers: int = 2, seed: int = 1) -> WriterOutcome:
    with in_process_retriever(folder, slow_embedders(0.0)) as side:
        trial = Writers(side, seed)
        trial.run(writers, readers, seconds)
        trial.compare(folder)
    return trial.outcome


def main(arguments: Sequence[str] | None = None) -> int:
    cli = argparse.ArgumentParser(prog="python -m tests.stress.writers", description=__doc__)
    cli.add_argument("--writers", type=int, default=50)
    cli.add_argument("--readers", type=int, default=2)
    cli.add_argument("--seconds", type=float, default=60)
    cli.add_argument("--seed", type=int, default=random.randrange(10**6))
    chosen = cli.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="rag-writers-"))
    outcome = run(folder, chosen.writers, chosen.seconds, readers=chosen.readers, seed=chosen.seed)
    print(outcome.line())
    for kind, found in outcome.damage.found.items():
        for what in found[:20]:
            print(f"  {kind}: {what}")
    if outcome.damage:
        print(f"FAILED with --seed {chosen.seed}; the data is in {folder}")
    return 1 if outcome.damage else 0


if __name__ == "__main__":
    sys.exit(main())
