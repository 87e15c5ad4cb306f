"""The index of each vector field, checked against what the connected Milvus supports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from rag.adapters.milvus import index_types as types
from rag.adapters.milvus.index_types import IndexType, Parameters
from rag.adapters.milvus.pymilvus_types import IndexArguments
from rag.adapters.milvus.quantization import RescoreDtype
from rag.errors import UnsupportedIndex


@dataclass(frozen=True, slots=True)
class FieldIndex:
    """The index of one field, as configured; `build` and `search` are Milvus's parameters by their own names."""

    index: str
    metric: str
    build: Mapping[str, object] = field(default_factory=dict)
    search: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Indexes:
    """The indexes of new collections."""

    dense: FieldIndex = FieldIndex("AUTOINDEX", "IP")
    keyword: FieldIndex = FieldIndex("SPARSE_INVERTED_INDEX", "BM25", {"bm25_k1": 0.9, "bm25_b": 0.4})
    sparse: FieldIndex = FieldIndex("SPARSE_INVERTED_INDEX", "IP")
    rescore_dtype: RescoreDtype = "int8"
    """How vectors are kept beside a dense index of sign bits."""

    def of(self, vector_field: str) -> FieldIndex:
        return {"dense": self.dense, "keyword": self.keyword, "sparse": self.sparse}[vector_field]


def index_arguments(vector_field: str, requested: FieldIndex, dimensions: int, *, is_lite: bool) -> IndexArguments:
    """Keyword arguments for `IndexParams.add_index`.

    Raises:
        UnsupportedIndex: the index or one of its parameters is unknown, or Milvus Lite does not have it.
    """
    known = _known(vector_field, is_lite=is_lite)
    setting = f"RAG_STORE__{vector_field.upper()}"
    if requested.index not in known:
        raise _unknown_index(f"{setting}_INDEX", requested.index, vector_field, is_lite=is_lite)
    kind = known[requested.index]
    here = f"{requested.index} on Milvus Lite" if is_lite else requested.index
    if vector_field == "dense":
        _check_kind(requested, dimensions)
    _check(f"{setting}_BUILD", requested.build, kind.build, here)
    _check(f"{setting}_SEARCH", requested.search, kind.search, here)
    build = dict(kind.defaults) | dict(requested.build)
    if "m" in kind.build and "m" not in build:
        build["m"] = _sub_vectors(dimensions)
    name = types.LITE_AUTO[vector_field] if is_lite and requested.index == "AUTOINDEX" else requested.index
    return {
        "field_name": vector_field,
        "index_name": vector_field,
        "index_type": name,
        "metric_type": requested.metric,
        # See docs/bentoml_issues.md#m10.
        "params": {"params": build} if is_lite else build,
    }


def default_metric(dense_index: str) -> str:
    return types.BINARY_METRICS[0] if dense_index in types.BINARY else "IP"


def search_params(index: str, requested: Mapping[str, object], limit: int) -> dict[str, object]:
    """The requested parameters that an index of this type has, raised to `limit` if the search would be refused."""
    kind = types.DENSE.get(index, IndexType())
    known = {name: value for name, value in requested.items() if name in kind.search}
    return {name: _at_least(limit, value) if name in types.AT_LEAST_LIMIT else value for name, value in known.items()}


def _at_least(limit: int, value: object) -> object:
    return max(value, limit) if isinstance(value, int) else value


def refused(vector_field: str, requested: FieldIndex, reason: str) -> UnsupportedIndex:
    """The error for an index that the connected server refuses, with the server's reason."""
    setting = f"RAG_STORE__{vector_field.upper()}_INDEX"
    parameters = f" with {dict(requested.build)}" if requested.build else ""
    return UnsupportedIndex(
        f"{setting} is {requested.index}, metric {requested.metric}{parameters}, which the connected Milvus refuses: "
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


def _check_kind(requested: FieldIndex, dimensions: int) -> None:
    """Check the metric and the dimensions of a dense index of floats or of sign bits."""
    is_binary = requested.index in types.BINARY
    if is_binary != (requested.metric in types.BINARY_METRICS):
        fitting = types.BINARY_METRICS if is_binary else ("IP", "COSINE", "L2")
        raise UnsupportedIndex(
            f"RAG_STORE__DENSE_METRIC is {requested.metric}, which {requested.index} does not have; "
            f"choose one of {', '.join(fitting)}",
            param="RAG_STORE__DENSE_METRIC",
        )
    if is_binary and dimensions % 8:
        raise UnsupportedIndex(
            f"RAG_STORE__DENSE_INDEX is {requested.index}, which packs eight dimensions into a byte, but the encoder's "
            f"vectors have {dimensions}; choose an index of float vectors",
            param="RAG_STORE__DENSE_INDEX",
        )


def _check(setting: str, given: Mapping[str, object], known: Parameters, index: str) -> None:
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


def _sub_vectors(dimensions: int) -> int:
    """Sub-vectors for product quantisation: as many as divide the vector evenly into four dimensions or more."""
    return max(parts for parts in range(1, max(dimensions // 4, 1) + 1) if dimensions % parts == 0)
