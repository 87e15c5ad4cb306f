"""The arguments for servers, which no test here talks to; for Milvus Lite see `test_filters_on_milvus.py`."""

from __future__ import annotations

from rag.adapters.milvus.filter import Restriction, filter_arguments

EITHER = {
    "type": "or",
    "filters": [{"type": "eq", "key": "filename", "value": "a"}, {"type": "eq", "key": "file_id", "value": "b"}],
}


def test_values_travel_beside_the_expression() -> None:
    assert filter_arguments(Restriction(EITHER, ['v"1', "v2"]), has_templates=True) == {
        "filter": "((filename == {v0} or file_id == {v1})) and (version_id not in {without})",
        "filter_params": {"v0": "a", "v1": "b", "without": ['v"1', "v2"]},
    }


def test_values_stand_in_the_expression_of_lite() -> None:
    assert filter_arguments(Restriction(EITHER, ['v"1']), has_templates=False) == {
        "filter": r'((filename == "a" or file_id == "b")) and (version_id not in ["v\"1"])'
    }


def test_no_restriction() -> None:
    assert filter_arguments(Restriction(), has_templates=True) == {}
    assert filter_arguments(Restriction(), has_templates=False) == {}


def test_groups_are_a_condition_of_their_own_whatever_the_client_filters_by() -> None:
    some = Restriction(EITHER, groups=["hr", 'a"b'])
    client = "((filename == {v0} or file_id == {v1}))"
    is_open = '(not (exists attributes["$read_groups"]))'
    assert filter_arguments(some, has_templates=True) == {
        "filter": f'{client} and ({is_open} or json_contains_any(attributes["$read_groups"], {{groups}}))',
        "filter_params": {"v0": "a", "v1": "b", "groups": ["hr", 'a"b']},
    }
    assert filter_arguments(Restriction(groups=['a"b']), has_templates=False) == {
        "filter": f'({is_open} or json_contains_any(attributes["$read_groups"], ["a\\"b"]))'
    }
    assert filter_arguments(Restriction(groups=[]), has_templates=False) == {"filter": f"({is_open})"}
