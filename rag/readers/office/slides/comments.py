"""The comments on a slide, in the form of PowerPoint 2007 and in that of 2021, which has replies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rag.errors import BrokenFile
from rag.readers.office.drawings.text import body_text
from rag.readers.office.package import Package, Relation
from rag.readers.office.slides.reading_order import P
from rag.readers.safe_xml import Element

_MODERN = "{http://schemas.microsoft.com/office/powerpoint/2018/8/main}"
_AUTHOR_PARTS = ("commentAuthors", "authors")


def author_names(package: Package, relations: Iterable[Relation]) -> Mapping[str, str]:
    """The names of the authors of comments by their id."""
    names: dict[str, str] = {}
    for relation in relations:
        if relation.kind in _AUTHOR_PARTS:
            try:
                authors = package.parse(relation.name)
            except (KeyError, BrokenFile):
                continue
            names |= {author.get("id") or "": author.get("name") or "" for author in authors if author.get("id")}
    return names


def comment_texts(comments: Element, authors: Mapping[str, str]) -> Iterator[str]:
    """Each comment and reply: `Comment by Ada: check this number`."""
    for comment in comments.iter(f"{P}cm", f"{_MODERN}cm", f"{_MODERN}reply"):
        body = comment.find(f"{_MODERN}txBody")
        text = body_text(body) if body is not None else (comment.findtext(f"{P}text") or "").strip()
        author = authors.get(comment.get("authorId") or "", "")
        noun = "Reply" if comment.tag.endswith("}reply") else "Comment"
        if text:
            yield f"{noun} by {author}: {text}" if author else f"{noun}: {text}"
