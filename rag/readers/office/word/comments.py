"""The comments of a Word document, with their authors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rag.readers.office.word.xml import W
from rag.readers.safe_xml import Element

_W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_W15 = "{http://schemas.microsoft.com/office/word/2012/wordml}"


class Comment(NamedTuple):
    label: str
    """`Comment by Ada` or `Reply by Ada`."""
    content: Element


def comments_by_id(comments: Element, extended: Element | None) -> dict[str, Comment]:
    """The comments by the id that the document refers to.

    Args:
        extended: The part that tells which comments are replies; older programs write none.
    """
    replies = set(_replies(extended)) if extended is not None else set()
    return {
        comment.get(f"{W}id") or "": Comment(_label(comment, replies), comment)
        for comment in comments.findall(f"{W}comment")
    }


def _label(comment: Element, replies: set[str]) -> str:
    is_reply = any(paragraph.get(f"{_W14}paraId") in replies for paragraph in comment.iter(f"{W}p"))
    author = " ".join((comment.get(f"{W}author") or "").split())
    noun = "Reply" if is_reply else "Comment"
    return f"{noun} by {author}" if author else noun


def _replies(extended: Element) -> Iterator[str]:
    """The ids of the paragraphs with which the replies end."""
    for comment in extended.iter(f"{_W15}commentEx"):
        if comment.get(f"{_W15}paraIdParent") and (own := comment.get(f"{_W15}paraId")):
            yield own
