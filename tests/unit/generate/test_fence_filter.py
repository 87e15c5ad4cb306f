from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.generate.fence_filter import FenceFilter


def filtered(*pieces: str) -> str:
    fence = FenceFilter()
    return "".join([*(fence.feed(piece) for piece in pieces), fence.close()])


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("An answer.", "An answer."),
        ("<passages abcdef>\nAn answer.", "An answer."),
        ("An answer.\n</passages abcdef>", "An answer.\n"),
        ("One <passages> two </passages> three", "One  two  three"),
        (" <b>bold</b> and 1 < 2", " <b>bold</b> and 1 < 2"),
        ("<passages 123456>", "<passages 123456>"),
        ("A tag <passa</passages>ges abc> within <pas<passa<passages>ges>sages>a tag", "A tag  within a tag"),
        ("< <passages>passages>", "< passages>"),
        ("ends with <passag", "ends with <passag"),
        ("", ""),
    ],
)
def test_the_fence_is_removed(written: str, sent: str) -> None:
    assert filtered(written) == sent


@given(st.data())
def test_the_result_does_not_depend_on_how_the_text_is_split(data: st.DataObject) -> None:
    parts = st.sampled_from(
        ["<", "</", "<pass", "ages>", "passages", " abc", ">", "\n", "text ", "<passages abcdef>", "</passages>"]
    )
    pieces = data.draw(st.lists(parts, max_size=12))
    whole = "".join(pieces)
    assert filtered(*pieces) == filtered(whole) == filtered(*whole)
    assert not re.search(r"</?passages(?: [a-z]{1,12})?>", filtered(whole))


def test_text_is_held_back_only_while_it_may_become_a_tag() -> None:
    fence = FenceFilter()
    assert fence.feed("a < b and <pass") == "a < b and "
    assert fence.feed("ive>") == "<passive>"
