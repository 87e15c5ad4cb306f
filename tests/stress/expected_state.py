"""What the documents must be, by what was accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Accepted:
    """A version that an upload made, or met."""

    seq: int
    name: str
    text: str
    attributes: Mapping[str, Any]
    is_broken: bool = False
    is_cancelled: bool = False
    is_deleted: bool = False
    """Its document was, later."""
    perhaps: Mapping[str, Any] | None = None
    """Attributes that a change would have given it which was never acknowledged."""

    @property
    def counts(self) -> bool:
        return not (self.is_broken or self.is_cancelled)

    @property
    def ends(self) -> set[str]:
        """States that it may have come to."""
        good = {"failed"} if self.is_broken else {"visible", "retired", "superseded"}
        if self.is_deleted or self.is_cancelled:
            return {*good, "cancelled"} if self.is_deleted else {"cancelled"}
        return good


@dataclass(slots=True)
class ExpectedState:
    documents: dict[str, list[Accepted]] = field(default_factory=dict)
    """By name, in the order of acceptance, since the document was last deleted."""
    recent: list[Accepted] = field(default_factory=list)
    """Since `forget_the_past`."""

    def uploaded(self, accepted: Accepted) -> None:
        self.documents.setdefault(accepted.name, []).append(accepted)
        self.recent.append(accepted)

    def deleted(self, name: str) -> None:
        for accepted in self.documents.pop(name, []):
            accepted.is_deleted = True

    def changed(self, name: str, attributes: Mapping[str, Any]) -> None:
        for accepted in self.documents.get(name, []):
            accepted.attributes = attributes

    def perhaps_changed(self, name: str, attributes: Mapping[str, Any]) -> None:
        for accepted in self.documents.get(name, []):
            accepted.perhaps = attributes

    def cancelled(self, seqs: Iterable[int]) -> None:
        gone = set(seqs)
        for accepted in self.recent:
            if accepted.seq in gone:
                accepted.is_cancelled = True

    def shown(self, name: str) -> Accepted | None:
        """The version that questions must see."""
        return next((one for one in reversed(self.documents.get(name, [])) if one.counts), None)

    def forget_the_past(self) -> None:
        """All work is done and was compared: only what is seen matters from here on."""
        for name, versions in self.documents.items():
            shown = self.shown(name)
            self.documents[name] = versions[-1:] if shown is None else [shown]
        self.recent.clear()
