"""Compares what is stored with what was accepted, after all jobs have ended and the janitor has cleaned up."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.stress.crash_records import Records
from tests.stress.expected_state import AcceptedVersion, ExpectedState


@dataclass(slots=True)
class Damage:
    """Violations, by kind."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, what: str) -> None:
        self.found.setdefault(kind, []).append(what)

    def count(self, kind: str) -> int:
        return len(self.found.get(kind, ()))

    def __bool__(self) -> bool:
        return bool(self.found)


def check_states(records: Records, model: ExpectedState, damage: Damage) -> None:
    """Every accepted version is in a state that is allowed for it, and no job has failed."""
    states = dict(records.catalog("SELECT seq, state FROM versions"))
    for accepted in model.recent:
        state = states.get(accepted.seq, "gone")
        if state not in accepted.final_states:
            damage.add(
                "lost", f"{accepted.name} v{accepted.seq} is {state}, not {'/'.join(sorted(accepted.final_states))}"
            )
    for job_id, error in records.catalog("SELECT id, error FROM jobs WHERE state = 'failed'"):
        damage.add("lost", f"{job_id} failed: {error}")


def check_documents(records: Records, model: ExpectedState, damage: Damage) -> None:
    """The right version of each document is visible, with the right text and attributes."""
    present, wanted = records.names(), set(model.documents)
    for name in sorted(wanted - present):
        damage.add("lost", f"the document {name} is missing")
    for name in sorted(present - wanted):
        damage.add("orphans", f"the document {name} still exists")
    rows = records.catalog("SELECT filename, seq, content_hash, attributes FROM versions WHERE state = 'visible'")
    visible: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        visible.setdefault(row[0], []).append(row)
    for name in sorted(wanted | set(visible)):
        _check_document(name, visible.get(name, []), model.visible_version(name), damage)


def _check_document(
    name: str, visible: list[tuple[Any, ...]], visible_version: AcceptedVersion | None, damage: Damage
) -> None:
    if len(visible) > 1:
        damage.add("duplicates", f"{name} has {len(visible)} visible versions")
    if visible_version is None:
        if visible:
            damage.add("orphans", f"{name} v{visible[0][1]} is visible, but should not be")
        return
    if not visible:
        damage.add("lost", f"{name} v{visible_version.seq} is not visible")
        return
    _, seq, content_hash, attributes = visible[-1]
    if content_hash != hashlib.sha256(visible_version.text.encode()).hexdigest():
        damage.add("lost", f"{name} v{seq} is visible, but its text is not that of v{visible_version.seq}")
    if (
        visible_version.possible_attributes is not None
        and json.loads(attributes) == visible_version.possible_attributes
    ):
        visible_version.attributes = visible_version.possible_attributes
    visible_version.possible_attributes = None
    if json.loads(attributes) != visible_version.attributes:
        damage.add(
            "lost", f"{name} v{seq} has the attributes {attributes}, not {json.dumps(visible_version.attributes)}"
        )


def check_rows(records: Records, state: Mapping[str, Any], damage: Damage) -> None:
    """Milvus holds each chunk of each visible version exactly once, and no others."""
    wanted = Counter(
        f"v{seq}-{ordinal:06d}"
        for seq, chunks in records.catalog("SELECT seq, chunks FROM versions WHERE state = 'visible'")
        for ordinal in range(chunks)
    )
    rows = Counter(state["rows"])
    for kind, ids in (("missing", wanted - rows), ("orphans", rows.keys() - wanted.keys())):
        if ids:
            damage.add(kind, f"{len(ids)} chunks in Milvus, such as {min(ids)}")
    if twice := [chunk_id for chunk_id, count in rows.items() if count > 1]:
        damage.add("duplicates", f"{len(twice)} chunks are in Milvus more than once, such as {min(twice)}")
    if state["count"] != len(state["rows"]):
        damage.add("duplicates", f"Milvus counts {state['count']} rows and lists {len(state['rows'])}")


def check_blobs(records: Records, damage: Damage, *, all_gone: bool = False) -> None:
    """The blobs on disk, in the catalog, and in use are the same.

    Args:
        all_gone: Leftovers of crashes have been removed.
    """
    on_disk, known = records.blobs_on_disk(), records.blobs_in_catalog()
    if missing := known - on_disk:
        damage.add("missing", f"{len(missing)} blobs are not on disk, such as {min(missing)}")
    if all_gone and (left := on_disk - known):
        damage.add("orphans", f"{len(left)} files on disk belong to no blob, such as {min(left)}")
    used = {
        row[0]
        for column, table in (("blob_id", "files"), ("blob_id", "versions"), ("extract_id", "versions"))
        for row in records.catalog(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
    }
    if lost := used - known:
        damage.add("missing", f"{len(lost)} blobs are in use, but not in the catalog, such as {min(lost)}")
    if unused := known - used:
        damage.add("orphans", f"{len(unused)} blobs are stored, but not in use")
