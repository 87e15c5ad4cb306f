"""`python -m tests.stress.crash`: repeatedly kills a process during ingest (kill -9). No accepted change may be lost.

A child process runs the real document side. It is killed at a random time and started again on the same folder. When
its jobs have ended, what it stores is compared with what it had accepted.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.stress.crash_checks import Damage, check_blobs, check_documents, check_rows, check_states
from tests.stress.crash_load import CrashLoad
from tests.stress.crash_records import Records, Repeats
from tests.stress.expected_state import ExpectedState
from tests.stress.killable_process import KillableProcess, ProcessKilled, RequestRefused

_KILL_AFTER_S = (0.05, 3.0)
_ROUNDS_PER_FOLDER = 50
_KILLED_DURING_RECOVERY = 0.25
"""The fraction of rounds in which the child is killed a second time, while it recovers."""
_CHECKED_DOCUMENTS = 4
_KINDS = ("lost", "missing", "duplicates", "orphans", "repeated")


@dataclass(slots=True)
class Totals:
    rounds: int = 0
    kills: int = 0
    during_jobs: int = 0
    """Kills during a running job."""
    accepted: int = 0
    """Accepted files."""
    damage: Damage = field(default_factory=Damage)

    def line(self) -> str:
        found = ", ".join(f"{kind} {self.damage.count(kind)}" for kind in _KINDS)
        return (
            f"rounds {self.rounds}, kills {self.kills} ({self.during_jobs} in a running job), "
            f"files accepted {self.accepted}; {found}"
        )


class Trial:
    """Rounds of kill and recovery on one data folder."""

    def __init__(self, folder: Path, seed: int, totals: Totals) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._totals = totals
        self._model = ExpectedState()
        self._load = CrashLoad(self._model, self._random)
        self._records = Records(folder)
        self._repeats = Repeats(self._records)
        self._child = KillableProcess(folder, 1)
        self._child.ready()

    def round(self) -> None:
        child = self._child
        if self._totals.rounds == 0:  # on a slow machine it might otherwise be killed before it accepts anything
            while not self._load.accepted:
                self._load.send_next(child)
        child.kill_in(self._random.uniform(*_KILL_AFTER_S))
        while self._load.send_next(child):
            time.sleep(self._random.choice((0.0, 0.05, 0.2)))
        self._totals.accepted += self._load.accepted
        self._after_kill()
        if self._random.random() < _KILLED_DURING_RECOVERY:
            self._start()
            self._child.kill_in(self._random.uniform(0.8, 2.5))
            self._wait_for_kill()
            self._after_kill()
        self._start()
        self._child.ready()
        self._compare()
        self._totals.rounds += 1

    def finish(self) -> None:
        """Check that leftovers, which remain for a day or until the janitor runs again, are eventually removed."""
        self._child.ask("run_maintenance")
        self._child.stop()
        self._repeats.process_ended(self._child.life)
        long_ago = time.time() - 3 * 86_400
        for path in (self._folder / "blobs").glob("*/*"):
            os.utime(path, (long_ago, long_ago))
        self._start()
        self._child.ready()
        self._compare(all_gone=True)
        self._child.ask("run_maintenance")
        if left := self._records.workflows():
            self._totals.damage.add("orphans", f"the job engine still has records of {left} ended jobs")
        self._child.stop()

    def end(self) -> None:
        self._child.end()

    def _start(self) -> None:
        self._child = KillableProcess(self._folder, self._child.life + 1)

    def _wait_for_kill(self) -> None:
        try:
            self._child.ready()
            self._child.ask("settle")
        except ProcessKilled:
            pass

    def _after_kill(self) -> None:
        self._child.wait_until_killed()
        self._totals.kills += 1
        self._totals.during_jobs += self._records.running_jobs() > 0
        self._repeats.process_ended(self._child.life)

    def _compare(self, *, all_gone: bool = False) -> None:
        damage = self._totals.damage
        state = self._child.ask("settle")
        if state["unfinished"]:
            damage.add("lost", f"jobs have not ended: {state['unfinished']}")
            return
        self._load.resolve_unanswered(self._records)
        check_states(self._records, self._model, damage)
        check_documents(self._records, self._model, damage)
        check_rows(self._records, state, damage)
        check_blobs(self._records, damage, all_gone=all_gone)
        self._check_questions(damage)
        for again in self._repeats.found():
            damage.add("repeated", again)
        self._model.start_round()

    def _check_questions(self, damage: Damage) -> None:
        names = sorted({one.name for one in self._model.recent})
        for name in self._random.sample(names, min(_CHECKED_DOCUMENTS, len(names))):
            visible_version = self._model.visible_version(name)
            if visible_version is None:
                self._expect(damage, name, self._child.ask("find", name, "keyword", name) == [], "nothing is found")
                continue
            if self._child.ask("text", name).strip() != visible_version.text.strip():
                damage.add("lost", f"{name}: the extracted text differs")
            mark = visible_version.text.split()[0]
            for mode in ("keyword", "dense"):
                query = mark if mode == "keyword" else visible_version.text.split("\n")[0]
                for filename in (name, None):
                    hits = self._child.ask("find", query, mode, filename)
                    where = f"{mode} search, {'filtered' if filename else 'all'}"
                    own = [hit for hit in hits if hit[0] == name]
                    self._expect(damage, name, bool(own), f"{where} finds it")
                    self._expect(damage, name, all(mark in hit[1] for hit in own), f"{where} finds its newest text")
                    right = all(hit[2] == visible_version.attributes for hit in own)
                    self._expect(damage, name, right, f"{where} has its attributes")

    @staticmethod
    def _expect(damage: Damage, name: str, holds: bool, what: str) -> None:
        if not holds:
            damage.add("lost", f"{name}: expected: {what}")


def run(rounds: int, seed: int, folder: Path, *, tell: Any = print) -> Totals:
    """Stops at the first round with violations, and keeps the folder then."""
    totals, started = Totals(), time.monotonic()
    for first in range(0, rounds, _ROUNDS_PER_FOLDER):
        data = folder / f"from-{first}"
        data.mkdir(parents=True)
        trial = Trial(data, seed + first, totals)
        try:
            for _ in range(min(_ROUNDS_PER_FOLDER, rounds - first)):
                trial.round()
                if totals.damage:
                    return totals
                if totals.rounds % 10 == 0:
                    tell(f"{totals.line()}; {(time.monotonic() - started) / totals.rounds:.1f} s a round")
            trial.finish()
        except RequestRefused as error:
            totals.damage.add("lost", f"refused: {error}")
        finally:
            trial.end()
        if totals.damage:
            return totals
        shutil.rmtree(data)
    return totals


def main(arguments: Sequence[str] | None = None) -> int:
    cli = argparse.ArgumentParser(prog="python -m tests.stress.crash", description=__doc__)
    cli.add_argument("--rounds", type=int, default=200)
    cli.add_argument("--seed", type=int, default=random.randrange(10**6))
    cli.add_argument("--folder", type=Path, help="for the data (default: a temporary folder, kept after a failure)")
    chosen = cli.parse_args(arguments)
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="rag-crash-"))
    totals = run(chosen.rounds, chosen.seed, folder, tell=lambda line: print(line, flush=True))
    print(totals.line())
    if not totals.damage:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    for kind, found in totals.damage.found.items():
        for what in found[:20]:
            print(f"  {kind}: {what}")
    print(f"FAILED with --seed {chosen.seed}; the data is in {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
