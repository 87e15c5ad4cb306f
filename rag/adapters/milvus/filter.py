"""The filter of a search as Milvus takes it."""

from __future__ import annotations

from collections.abc import Sequence

from rag.adapters.milvus.pymilvus_types import FilterArguments
from rag.retrieve.search.filters import Operand, compile_filters, literal, with_literals
from rag.types import FilterObject


def filter_arguments(
    filters: FilterObject | None,
    without: Sequence[str],
    *,
    has_templates: bool,
    chunk_ids: Sequence[str] | None = None,
) -> FilterArguments:
    """Keyword arguments for `MilvusClient.search` and `query`.

    Args:
        without: Versions whose chunks are excluded.
        has_templates: Whether values can be sent as parameters of the expression. On Milvus Lite they are written into
            it, since its templates take `true` for 1 (docs/bentoml_issues.md#m11).
        chunk_ids: Only these chunks; None: any.
    """
    terms: list[str] = []
    params: dict[str, Operand] = {}
    if filters is not None:
        compiled = compile_filters(filters)
        terms.append(compiled.expression if has_templates else with_literals(compiled))
        params |= compiled.params
    if without:
        params["without"] = list(without)
        terms.append(f"version_id not in {'{without}' if has_templates else literal(params['without'])}")
    if chunk_ids is not None:
        params["ids"] = list(chunk_ids)
        terms.append(f"chunk_id in {'{ids}' if has_templates else literal(params['ids'])}")
    if not terms:
        return {}
    expression = " and ".join(f"({term})" for term in terms)
    return {"filter": expression, "filter_params": params} if has_templates else {"filter": expression}
