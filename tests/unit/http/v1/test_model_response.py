"""Responses whose body is a pydantic model."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from rag.http.headers.inner_headers import OBJECT_ID
from rag.http.v1.model_response import model_response


class Named(BaseModel):
    id: str
    size: int | None = None


class Nameless(BaseModel):
    size: int


def test_the_edge_is_told_the_id() -> None:
    response = model_response(Named(id="vs_1"), {"x-more": "yes"})
    assert (response.headers[OBJECT_ID], response.headers["x-more"]) == ("vs_1", "yes")
    assert response.body == b'{"id":"vs_1"}'


@pytest.mark.parametrize("model", [Nameless(size=1), Named(id=""), Named(id="模型"), Named(id="a\r\nx-forged: 1")])
def test_what_no_header_can_hold_is_left_out(model: BaseModel) -> None:
    assert OBJECT_ID not in model_response(model).headers
