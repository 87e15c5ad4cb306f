"""Random requests to the child process, and their outcomes."""

from __future__ import annotations

import random
from typing import Any

from tests.stress.crash_records import Records
from tests.stress.expected_state import AcceptedVersion, ExpectedState
from tests.stress.killable_process import KillableProcess, ProcessKilled, RequestRefused

_NAMES = [f"paper-{n:02d}.txt" for n in range(24)]
_LARGE = "large.txt"
_WORDS = ("river", "stone", "cloud", "winter", "garden", "signal", "copper", "lantern", "bridge", "harbour", "violet")
_FILES = (1, 1, 2, 3, 6)


class CrashLoad:
    """Sends random requests.

    Args:
        model: Is updated with every acknowledged change.
    """

    def __init__(self, model: ExpectedState, chance: random.Random) -> None:
        self._model = model
        self._random = chance
        self._numbers = 0
        self._jobs: list[str] = []
        self._unanswered: tuple[str, list[Any]] | None = None
        self.accepted = 0
        """Files accepted since the process was last killed."""

    def send_next(self, child: KillableProcess) -> bool:
        """Send one more request. Returns whether it was answered."""
        name, arguments = self._next()
        self._unanswered = (name, arguments)
        try:
            answer = child.ask(name, *arguments)
        except ProcessKilled:
            return False
        except RequestRefused as refusal:
            if not str(refusal).startswith("not_found"):
                raise
            answer = None  # there was no such document
        self._unanswered = None
        if answer is not None or name in ("delete", "attributes"):
            self._apply(name, arguments, answer)
        return True

    def resolve_unanswered(self, records: Records) -> None:
        """Find out whether the request that was not answered took effect."""
        order, self._unanswered = self._unanswered, None
        self._jobs.clear()
        self.accepted = 0
        if order is None:
            return
        name, arguments = order
        if name == "ingest" and (job := records.job_with_key(arguments[2])) is not None:
            found = records.versions_of(job)
            self._apply(name, arguments, {"job": job, "files": [[row[0], row[1]] for row in found]})
        elif name == "delete" and arguments[0] not in records.names():
            self._model.deleted(arguments[0])
        elif name == "attributes":
            self._model.possibly_changed(*arguments)
        elif name == "cancel":
            self._model.cancelled(row[1] for row in records.versions_of(arguments[0]) if row[2] == "cancelled")

    def _apply(self, name: str, arguments: list[Any], answer: Any) -> None:
        if name == "ingest":
            self._uploaded(arguments, answer)
        elif name == "delete":
            self._model.deleted(arguments[0])
        elif name == "attributes":
            self._model.changed(*arguments)
        elif name == "cancel":
            self._model.cancelled(seq for seq, status in answer if status == "cancelled")

    def _uploaded(self, arguments: list[Any], answer: Any) -> None:
        files, attributes, _ = arguments
        self._jobs.append(answer["job"])
        texts = dict(files)
        assert [file for file, _ in answer["files"]] == list(texts), "the job has other files than were uploaded"
        for file, seq in answer["files"]:
            self._model.uploaded(AcceptedVersion(seq, file, texts[file], attributes, is_broken=not texts[file].strip()))
            self.accepted += 1

    def _next(self) -> tuple[str, list[Any]]:
        self._numbers += 1
        chance = self._random.random()
        known = sorted(self._model.documents)
        if chance < 0.10 and known:
            return "delete", [self._random.choice(known)]
        if chance < 0.22 and known:
            return "attributes", [self._random.choice(known), {"order": self._numbers}]
        if chance < 0.30 and self._jobs:
            return "cancel", [self._jobs[-1]]
        return "ingest", [self._files(), {"team": self._random.choice("abc")}, f"order-{id(self)}-{self._numbers}"]

    def _files(self) -> list[list[str]]:
        names = self._random.sample(_NAMES, self._random.choice(_FILES))
        files = [[name, self._text(name)] for name in names]
        if self._random.random() < 0.06:
            files.append([_LARGE, self._content(_LARGE, self._random.randrange(600, 1300))])
        return files

    def _text(self, name: str) -> str:
        chance = self._random.random()
        if chance < 0.07:
            return " \n" * self._random.randrange(1, 5)  # without text: parsing fails
        visible_version = self._model.visible_version(name)
        if chance < 0.17 and visible_version is not None:
            return visible_version.text  # an unchanged upload
        return self._content(name, self._random.choice((1, 2, 5, 12, 40)))

    def _content(self, name: str, paragraphs: int) -> str:
        """Every paragraph contains a word that is unique to this version."""
        mark = f"mark{self._numbers}n{self._random.randrange(10**6)}"
        return "\n\n".join(
            f"{mark} part {part} of {name} {' '.join(self._random.choices(_WORDS, k=14))}" for part in range(paragraphs)
        )
