"""What a search is restricted to, as Milvus takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag.retrieve.search.filters import Operand, compile_filters, literal, with_literals


def filter_arguments(
    filters: Mapping[str, Any] | None,
    without: Sequence[str],
    *,
    has_templates: bool,
    chunk_ids: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Keyword arguments for `MilvusClient.search` and `query`.

    Args:
        without: Versions whose chunks are left out.
        has_templates: Values travel beside the expression.
        chunk_ids: Only those; None: any.
    """
    terms: list[str] = []
    params: dict[str, Operand] = {}
    if filters is not None:
        compiled = compile_filters(filters)
        # Lite also compares as Python does: `true` equals 1 there.
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
