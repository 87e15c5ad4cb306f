"""The parts of an Office package and the relations between them, read from an untrusted archive."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Mapping
from typing import NamedTuple

from rag.readers.safe_xml import Element, parse_xml

RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
"""The namespace of attributes that name a relation, such as `r:id` and `r:embed`."""
_RELATION = "{*}Relationship"
_COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")


class Relation(NamedTuple):
    """A relation of a part: its kind, such as `slide` or `chart`, and the name of the related part."""

    kind: str
    name: str


class Package:
    """Parses the parts of a package. Namespaces of strict Open XML are replaced by those of transitional Open XML."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = frozenset(archive.namelist())

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def read(self, name: str) -> bytes:
        """Raises KeyError if there is no such part."""
        return _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", self._archive.read(name))

    def parse(self, name: str) -> Element:
        """The root of a part. Raises KeyError if there is no such part, BrokenFile if it is damaged."""
        return parse_xml(self.read(name))

    def main_part(self) -> str:
        """The name of the document, presentation or workbook; empty if the package names none."""
        relations = self.relations("").values()
        return next((name for kind, name in relations if kind == "officeDocument"), "")

    def relations(self, name: str) -> Mapping[str, Relation]:
        """The relations of a part by their id; those of the package if the name is empty."""
        folder = posixpath.dirname(name)
        relations = posixpath.join(folder, "_rels", f"{posixpath.basename(name)}.rels")
        if relations not in self._names:
            return {}
        return {
            relation.get("Id") or "": Relation(
                (relation.get("Type") or "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, relation.get("Target") or "")).lstrip("/"),
            )
            for relation in self.parse(relations).iter(_RELATION)
            if relation.get("TargetMode") != "External"
        }


def choose_alternatives(root: Element) -> None:
    """Keep of each `mc:AlternateContent` what the newest program would show."""
    for alternatives in list(root.iter(f"{_COMPATIBILITY}AlternateContent")):
        chosen = next((branch for branch in alternatives if len(branch)), None)
        for child in list(chosen) if chosen is not None else ():
            alternatives.addprevious(child)
        if (parent := alternatives.getparent()) is not None:
            parent.remove(alternatives)
