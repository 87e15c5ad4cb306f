"""Parameters that vLLM removed are refused, with advice what to use instead, before other errors of a body."""

from __future__ import annotations

import pytest

from rag.errors import InvalidRequest
from rag.http.fields.removed_parameters import NEUTRAL, REFUSED, REMOVED, without_removed
from rag.http.native.generate_wire import GenerateRequest


@pytest.mark.parametrize("name", [*REMOVED, *REFUSED])
def test_a_removed_parameter_is_refused_by_name_with_advice(name: str) -> None:
    with pytest.raises(InvalidRequest, match=name) as refused:
        GenerateRequest.parse({"prompt": "a", name: 2})
    assert refused.value.param == name
    assert len(refused.value.message) > len(name) + 30


@pytest.mark.parametrize("name", [*REMOVED, *REFUSED])
def test_a_removed_parameter_set_to_null_is_ignored(name: str) -> None:
    assert without_removed({"prompt": "a", name: None}) == {"prompt": "a"}


@pytest.mark.parametrize(("name", "value"), NEUTRAL.items())
def test_a_removed_parameter_that_asks_for_nothing_is_ignored(name: str, value: object) -> None:
    assert GenerateRequest.parse({"prompt": "a", name: value}).sampling() == {}


def test_advice_takes_precedence_over_other_errors() -> None:
    with pytest.raises(InvalidRequest, match="rank them"):
        GenerateRequest.parse({"nonsense": 1, "use_beam_search": True})


def test_advice_names_existing_parameters_or_options() -> None:
    names = set(GenerateRequest.model_fields)
    for advice in REMOVED.values():
        words = {word.strip(",;.") for word in advice.split()}
        assert words & names or "RAG_LLM__ENGINE__" in advice


def test_no_parameter_is_both_accepted_and_refused() -> None:
    assert not set(GenerateRequest.model_fields) & {*REMOVED, *REFUSED}
