"""Converts the restrictions of a search to Milvus's filter arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.adapters.milvus.pymilvus_types import FilterArguments
from rag.adapters.milvus.rows import READ_GROUPS_KEY
from rag.retrieve.search.filters import Operand, compile_filters, milvus_literal, with_literals
from rag.types import FilterObject

READ_GROUPS = f'attributes["{READ_GROUPS_KEY}"]'
"""The field in an expression. Clients' filters cannot name it, because keys cannot contain `$`."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """Which chunks a search or query may find."""

    filters: FilterObject | None = None
    """The filter from the client's request."""
    without: Sequence[str] = ()
    """Versions whose chunks are excluded."""
    groups: Sequence[str] | None = None
    """Only chunks without read groups, or with one of these; None: any."""
    chunk_ids: Sequence[str] | None = None
    """Only these chunks; None: any."""


def filter_arguments(restriction: Restriction, *, has_templates: bool) -> FilterArguments:
    """Keyword arguments for `MilvusClient.search` and `query`.

    Args:
        has_templates: Whether values can be sent as parameters of the expression. On Milvus Lite they are written into
            it, since its templates take `true` for 1 (docs/bentoml_issues.md#m11).
    """
    terms: list[str] = []
    params: dict[str, Operand] = {}

    def operand(name: str, values: Sequence[str]) -> str:
        params[name] = list(values)
        return f"{{{name}}}" if has_templates else milvus_literal(list(values))

    if restriction.filters is not None:
        compiled = compile_filters(restriction.filters)
        terms.append(compiled.expression if has_templates else with_literals(compiled))
        params |= compiled.params
    if restriction.without:
        terms.append(f"version_id not in {operand('without', restriction.without)}")
    if restriction.chunk_ids is not None:
        terms.append(f"chunk_id in {operand('ids', restriction.chunk_ids)}")
    if (groups := restriction.groups) is not None:
        own = f" or json_contains_any({READ_GROUPS}, {operand('groups', groups)})" if groups else ""
        terms.append(f"(not (exists {READ_GROUPS})){own}")
    if not terms:
        return {}
    expression = " and ".join(f"({term})" for term in terms)
    return {"filter": expression, "filter_params": params} if has_templates else {"filter": expression}
