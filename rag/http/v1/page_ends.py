"""`first_id` and `last_id` of a page, which are empty texts if the page is empty: OpenAI's document admits no null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class PageEnds(TypedDict):
    first_id: str
    last_id: str


def page_ends(ids: Sequence[str]) -> PageEnds:
    """The ends of a page with these ids, in their order."""
    return {"first_id": ids[0], "last_id": ids[-1]} if ids else {"first_id": "", "last_id": ""}
