"""Types of what pymilvus takes and returns, which it does not declare itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Protocol, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

QueryData: TypeAlias = str | bytes | npt.NDArray[np.float32] | Mapping[int, float]
"""What one search looks for: words, the sign bits of a dense vector, a dense vector or a sparse one."""


class FieldDescription(TypedDict):
    name: str


class CollectionDescription(TypedDict):
    """What `MilvusClient.describe_collection` returns, as far as it is used here."""

    fields: list[FieldDescription]
    description: NotRequired[str]
    properties: NotRequired[dict[str, str]]


class IndexDescription(TypedDict, total=False):
    """What `MilvusClient.describe_index` returns, as far as it is used here."""

    index_type: str
    metric_type: str


class IndexArguments(TypedDict):
    """Keyword arguments of `IndexParams.add_index`."""

    field_name: str
    index_name: str
    index_type: str
    metric_type: str
    params: Mapping[str, object]


class ChunkRow(TypedDict):
    """A row of a collection, as it is inserted and as searches and queries return it."""

    chunk_id: str
    version_id: str
    file_id: str
    filename: str
    text: str
    heading: str
    context: str
    header: NotRequired[str]
    pages: NotRequired[str]
    places: NotRequired[str]
    page: int
    start: int
    end: int
    attributes: dict[str, Any]
    dense: NotRequired[npt.NDArray[np.float32] | Sequence[float] | bytes]
    dense_rescore: NotRequired[str]
    sparse: NotRequired[dict[int, float]]
    passage: NotRequired[str]


class SearchHit(TypedDict):
    distance: float
    entity: ChunkRow


class FilterArguments(TypedDict, total=False):
    """The filter among the keyword arguments of `MilvusClient.search` and `query`."""

    filter: str
    filter_params: dict[str, Any]


class MilvusSearchArguments(FilterArguments, total=False):
    """Keyword arguments of `MilvusClient.search`."""

    limit: int
    output_fields: list[str]
    timeout: float
    search_params: dict[str, dict[str, object]]


class QueryIterator(Protocol):
    """What `MilvusClient.query_iterator` returns."""

    def next(self) -> list[ChunkRow]: ...

    def close(self) -> None: ...


class CollectionSchema(Protocol):
    """What `MilvusClient.create_schema` returns, as far as it is used here."""

    def add_field(self, field_name: str, datatype: object, **options: object) -> object: ...

    def add_function(self, function: object) -> object: ...
