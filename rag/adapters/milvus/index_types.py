"""The indexes that Milvus has, and the parameters of each, by Milvus's own names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Parameter:
    """The values that a parameter accepts: integers or numbers in a range, a boolean, or one of several words."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = True
    words: tuple[str, ...] = ()
    switch: bool = False

    def takes(self, value: object) -> bool:
        if self.switch or isinstance(value, bool):
            return self.switch and isinstance(value, bool)
        if self.words:
            return isinstance(value, str) and value.upper() in self.words
        numbers = int if self.whole else (int, float)
        return isinstance(value, numbers) and self.low <= value <= self.high

    def __str__(self) -> str:
        if self.switch:
            return "true or false"
        if self.words:
            return " or ".join(self.words)
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:g}" + ("" if self.high == math.inf else f" to {self.high:g}")


Parameters = Mapping[str, Parameter]


@dataclass(frozen=True, slots=True)
class IndexType:
    build: Parameters = field(default_factory=dict)
    search: Parameters = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    """Build parameters that older servers require; used unless others are configured."""


_COUNT = Parameter(low=1)
_SWITCH = Parameter(switch=True)
_LISTS = {"nlist": Parameter(1, 65_536)}
_PROBES = {"nprobe": Parameter(1, 65_536)}
_GRAPH = {"M": Parameter(2, 2048), "efConstruction": _COUNT}
_PRODUCT = {"m": Parameter(1, 65_536), "nbits": Parameter(1, 24)}
_REFINED = {"refine": _SWITCH, "refine_type": Parameter(words=("SQ4U", "SQ6", "SQ8", "FP16", "BF16", "FP32", "FLAT"))}
_REFINE_K = {"refine_k": Parameter(low=1, whole=False)}
_QUANTISED = {"sq_type": Parameter(words=("SQ4U", "SQ6", "SQ8", "BF16", "FP16"))}
_ON_DEVICE = {"cache_dataset_on_device": _SWITCH}
_PART = Parameter(0, 1, whole=False)
_BM25 = {"bm25_k1": Parameter(0.01, 3, whole=False), "bm25_b": _PART}
_SPARSE = {
    "inverted_index_algo": Parameter(words=("DAAT_MAXSCORE", "DAAT_WAND", "TAAT_NAIVE")),
    "drop_ratio_build": _PART,
}
_MMAP = {"mmap.enabled": _SWITCH}
_CAGRA_BUILD = {"intermediate_graph_degree": _COUNT, "graph_degree": _COUNT, "adapt_for_cpu": _SWITCH} | _ON_DEVICE
_CAGRA_ALGORITHM = {"build_algo": Parameter(words=("IVF_PQ", "NN_DESCENT"))}
_CAGRA_SEARCH = dict.fromkeys(("itopk_size", "search_width", "ef"), _COUNT)
_CAGRA_ROUNDS = dict.fromkeys(("min_iterations", "max_iterations", "team_size"), Parameter(low=0))
_NLIST: Mapping[str, object] = {"nlist": 128}
_GRAPH_SIZE: Mapping[str, object] = {"M": 16, "efConstruction": 200}

DENSE: Mapping[str, IndexType] = {
    "AUTOINDEX": IndexType(_MMAP, {"ef": _COUNT, "level": Parameter(1, 10)}),
    "FLAT": IndexType(_MMAP),
    "BIN_FLAT": IndexType(_MMAP),
    "BIN_IVF_FLAT": IndexType(_LISTS | _MMAP, _PROBES, _NLIST),
    "IVF_FLAT": IndexType(_LISTS | _MMAP, _PROBES, _NLIST),
    "IVF_SQ8": IndexType(_LISTS | _MMAP, _PROBES, _NLIST),
    "IVF_PQ": IndexType(_LISTS | _PRODUCT | _MMAP, _PROBES, _NLIST),
    "IVF_RABITQ": IndexType(
        _LISTS | _REFINED | _MMAP, _PROBES | _REFINE_K | {"rbq_bits_query": Parameter(0, 8)}, _NLIST
    ),
    "HNSW": IndexType(_GRAPH | _MMAP, {"ef": _COUNT}, _GRAPH_SIZE),
    "HNSW_SQ": IndexType(_GRAPH | _QUANTISED | _REFINED | _MMAP, {"ef": _COUNT} | _REFINE_K, _GRAPH_SIZE),
    "HNSW_PQ": IndexType(_GRAPH | _PRODUCT | _REFINED | _MMAP, {"ef": _COUNT} | _REFINE_K, _GRAPH_SIZE),
    "HNSW_PRQ": IndexType(
        _GRAPH | _PRODUCT | {"nrq": Parameter(1, 16)} | _REFINED | _MMAP, {"ef": _COUNT} | _REFINE_K, _GRAPH_SIZE
    ),
    "DISKANN": IndexType(
        {"max_degree": Parameter(1, 2048), "search_list_size": Parameter(1, 65_536)}, {"search_list": _COUNT}
    ),
    "SCANN": IndexType(_LISTS | {"with_raw_data": _SWITCH} | _MMAP, _PROBES | {"reorder_k": _COUNT}, _NLIST),
    "GPU_CAGRA": IndexType(_CAGRA_BUILD | _CAGRA_ALGORITHM, _CAGRA_SEARCH | _CAGRA_ROUNDS),
    "GPU_IVF_FLAT": IndexType(_LISTS | _ON_DEVICE, _PROBES, _NLIST),
    "GPU_IVF_PQ": IndexType(_LISTS | _PRODUCT | _ON_DEVICE, _PROBES, _NLIST),
    "GPU_BRUTE_FORCE": IndexType(),
}
"""Indexes of dense vectors on a server. Which of them a server has depends on its version and build."""

BINARY = ("BIN_FLAT", "BIN_IVF_FLAT")
"""The types in `DENSE` that search the sign bits of vectors."""
BINARY_METRICS = ("HAMMING", "JACCARD")

KEYWORD: Mapping[str, IndexType] = {
    "SPARSE_INVERTED_INDEX": IndexType(_BM25 | _SPARSE | _MMAP),
    "SPARSE_WAND": IndexType(_BM25 | _SPARSE | _MMAP),
    "AUTOINDEX": IndexType(_BM25),
}
SPARSE: Mapping[str, IndexType] = {
    "SPARSE_INVERTED_INDEX": IndexType(_SPARSE | _MMAP),
    "SPARSE_WAND": IndexType(_SPARSE | _MMAP),
    "AUTOINDEX": IndexType(),
}

# Milvus Lite ignores what it does not know, and then searches without an index (docs/bentoml_issues.md#m4).
LITE_DENSE: Mapping[str, IndexType] = {
    "AUTOINDEX": IndexType(),
    "FLAT": IndexType(),
    "IVF_FLAT": IndexType(_LISTS, _PROBES, _NLIST),
    "IVF_SQ8": IndexType(_LISTS, _PROBES, _NLIST),
    "HNSW": IndexType(_GRAPH, {"ef": _COUNT}, _GRAPH_SIZE),
    "HNSW_SQ": IndexType(_GRAPH, {"ef": _COUNT}, _GRAPH_SIZE),
}
LITE_KEYWORD: Mapping[str, IndexType] = {"SPARSE_INVERTED_INDEX": IndexType(_BM25), "AUTOINDEX": IndexType(_BM25)}
LITE_SPARSE: Mapping[str, IndexType] = {"SPARSE_INVERTED_INDEX": IndexType(), "AUTOINDEX": IndexType()}

LITE_AUTO = {"dense": "FLAT", "keyword": "SPARSE_INVERTED_INDEX", "sparse": "SPARSE_INVERTED_INDEX"}
"""The index that AUTOINDEX stands for on Milvus Lite. Its own choice for dense vectors is HNSW. At 100,000 chunks HNSW
took 105 ms of CPU a search instead of 184, but three times the memory and four times the CPU during an ingest, and it
missed two hits in a hundred."""

AT_LEAST_LIMIT = ("ef", "search_list", "reorder_k", "itopk_size")
"""Search parameters that servers refuse if they are smaller than the number of hits requested."""
