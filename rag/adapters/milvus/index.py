"""Which index each vector field gets, and whether the connected Milvus can make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from rag.adapters.milvus import index_types as types
from rag.adapters.milvus.index_types import IndexType, Parameters
from rag.errors import UnsupportedIndex


@dataclass(frozen=True, slots=True)
class FieldIndex:
    """As it is asked for; `build` and `search` are Milvus's parameters by their own names."""

    index: str
    metric: str
    build: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Indexes:
    """What new collections get."""

    dense: FieldIndex = FieldIndex("AUTOINDEX", "IP")
    keyword: FieldIndex = FieldIndex("SPARSE_INVERTED_INDEX", "BM25", {"bm25_k1": 0.9, "bm25_b": 0.4})
    sparse: FieldIndex = FieldIndex("SPARSE_INVERTED_INDEX", "IP")

    def of(self, vector_field: str) -> FieldIndex:
        wanted: FieldIndex = getattr(self, vector_field)
        return wanted


def index_arguments(vector_field: str, wanted: FieldIndex, dimensions: int, *, is_lite: bool) -> dict[str, Any]:
    """Keyword arguments for `IndexParams.add_index`.

    Raises:
        UnsupportedIndex: the index or one of its parameters is unknown, or Milvus Lite does not have it.
    """
    known = _known(vector_field, is_lite=is_lite)
    setting = f"RAG_STORE__{vector_field.upper()}"
    if wanted.index not in known:
        raise _unknown_index(f"{setting}_INDEX", wanted.index, vector_field, is_lite=is_lite)
    kind = known[wanted.index]
    here = f"{wanted.index} on Milvus Lite" if is_lite else wanted.index
    _check(f"{setting}_BUILD", wanted.build, kind.build, here)
    _check(f"{setting}_SEARCH", wanted.search, kind.search, here)
    build = dict(kind.defaults) | dict(wanted.build)
    if "m" in kind.build and "m" not in build:
        build["m"] = _parts(dimensions)
    name = types.LITE_AUTO[vector_field] if is_lite and wanted.index == "AUTOINDEX" else wanted.index
    return {
        "field_name": vector_field,
        "index_name": vector_field,
        "index_type": name,
        "metric_type": wanted.metric,
        # pymilvus (3.0) sends each parameter by itself; Lite (3.2) looks for them in one that is called "params".
        "params": {"params": build} if is_lite else build,
    }


def search_params(index: str, wanted: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """Those of the wanted parameters that an index of this type has, raised where it must find more than they allow."""
    kind = types.DENSE.get(index, IndexType())
    fitting = {name: value for name, value in wanted.items() if name in kind.search}
    return {name: max(value, limit) if name in types.AT_LEAST_LIMIT else value for name, value in fitting.items()}


def refused(vector_field: str, wanted: FieldIndex, reason: str) -> UnsupportedIndex:
    """For what the connected server refuses, in its own words."""
    setting = f"RAG_STORE__{vector_field.upper()}_INDEX"
    parameters = f" with {dict(wanted.build)}" if wanted.build else ""
    return UnsupportedIndex(
        f"{setting} is {wanted.index}, metric {wanted.metric}{parameters}, which the connected Milvus refuses: "
        f"{reason[:300]}",
        param=setting,
    )


def _known(vector_field: str, *, is_lite: bool) -> Mapping[str, IndexType]:
    if is_lite:
        return {"dense": types.LITE_DENSE, "keyword": types.LITE_KEYWORD, "sparse": types.LITE_SPARSE}[vector_field]
    return {"dense": types.DENSE, "keyword": types.KEYWORD, "sparse": types.SPARSE}[vector_field]


def _unknown_index(setting: str, index: str, vector_field: str, *, is_lite: bool) -> UnsupportedIndex:
    known = _known(vector_field, is_lite=is_lite)
    of_servers = is_lite and index in _known(vector_field, is_lite=False)
    problem = "which Milvus Lite does not have" if of_servers else f"which is no index{_nearest(index, known)}"
    way_out = ", or connect to a Milvus server" if of_servers else ""
    message = f"{setting} is {index}, {problem}; choose one of {', '.join(known)}{way_out}"
    return UnsupportedIndex(message, param=setting)


def _check(setting: str, given: Mapping[str, Any], known: Parameters, index: str) -> None:
    for name, value in given.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UnsupportedIndex(
                f"{setting} has {name!r}, which is no parameter of {index}{_nearest(name, known)}; {has}", param=setting
            )
        if not known[name].takes(value):
            raise UnsupportedIndex(f"{setting}: {name} of {index} must be {known[name]}, not {value!r}", param=setting)


def _nearest(name: str, known: Mapping[str, object]) -> str:
    lower = {other.lower(): other for other in known}
    found = get_close_matches(name.lower(), lower, n=1)
    return f" (perhaps {lower[found[0]]}?)" if found else ""


def _parts(dimensions: int) -> int:
    """Of a vector, for product quantisation: the most that divide it evenly, with four dimensions each or more."""
    return max(parts for parts in range(1, max(dimensions // 4, 1) + 1) if dimensions % parts == 0)
