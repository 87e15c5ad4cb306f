"""The arguments for servers, which no test here talks to; for Milvus Lite see `test_filters_on_milvus.py`."""

from __future__ import annotations

from rag.adapters.milvus.filter import filter_arguments

EITHER = {
    "type": "or",
    "filters": [{"type": "eq", "key": "filename", "value": "a"}, {"type": "eq", "key": "file_id", "value": "b"}],
}


def test_values_travel_beside_the_expression() -> None:
    assert filter_arguments(EITHER, ['v"1', "v2"], has_templates=True) == {
        "filter": "((filename == {v0} or file_id == {v1})) and (version_id not in {without})",
        "filter_params": {"v0": "a", "v1": "b", "without": ['v"1', "v2"]},
    }


def test_values_stand_in_the_expression_of_lite() -> None:
    assert filter_arguments(EITHER, ['v"1'], has_templates=False) == {
        "filter": r'((filename == "a" or file_id == "b")) and (version_id not in ["v\"1"])'
    }


def test_no_restriction() -> None:
    assert filter_arguments(None, [], has_templates=True) == filter_arguments(None, [], has_templates=False) == {}
