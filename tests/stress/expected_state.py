"""The expected documents, computed from the accepted changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class AcceptedVersion:
    """The version that an upload created, or the existing version if it was the same."""

    seq: int
    name: str
    text: str
    attributes: Mapping[str, Any]
    is_broken: bool = False
    is_cancelled: bool = False
    is_deleted: bool = False
    """Its document was deleted later."""
    possible_attributes: Mapping[str, Any] | None = None
    """Attributes of a change that was not acknowledged: it may or may not have happened."""

    @property
    def can_be_visible(self) -> bool:
        return not (self.is_broken or self.is_cancelled)

    @property
    def final_states(self) -> set[str]:
        """The states that it may be in when all jobs have ended."""
        good = {"failed"} if self.is_broken else {"visible", "retired", "superseded"}
        if self.is_deleted or self.is_cancelled:
            return {*good, "cancelled"} if self.is_deleted else {"cancelled"}
        return good


@dataclass(slots=True)
class ExpectedState:
    """The accepted versions of each document."""

    documents: dict[str, list[AcceptedVersion]] = field(default_factory=dict)
    """By filename, in the order of acceptance, since the document was last deleted."""
    recent: list[AcceptedVersion] = field(default_factory=list)
    """Accepted since `start_round`."""

    def uploaded(self, accepted: AcceptedVersion) -> None:
        self.documents.setdefault(accepted.name, []).append(accepted)
        self.recent.append(accepted)

    def deleted(self, name: str) -> None:
        for accepted in self.documents.pop(name, []):
            accepted.is_deleted = True

    def changed(self, name: str, attributes: Mapping[str, Any]) -> None:
        for accepted in self.documents.get(name, []):
            accepted.attributes = attributes

    def possibly_changed(self, name: str, attributes: Mapping[str, Any]) -> None:
        for accepted in self.documents.get(name, []):
            accepted.possible_attributes = attributes

    def cancelled(self, seqs: Iterable[int]) -> None:
        gone = set(seqs)
        for accepted in self.recent:
            if accepted.seq in gone:
                accepted.is_cancelled = True

    def visible_version(self, name: str) -> AcceptedVersion | None:
        """The version that queries must see."""
        return next((one for one in reversed(self.documents.get(name, [])) if one.can_be_visible), None)

    def start_round(self) -> None:
        """Keep only the visible versions. Call it when all jobs have ended and the state was checked."""
        for name, versions in self.documents.items():
            visible_version = self.visible_version(name)
            self.documents[name] = versions[-1:] if visible_version is None else [visible_version]
        self.recent.clear()
