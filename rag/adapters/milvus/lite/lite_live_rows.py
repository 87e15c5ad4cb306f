"""Which rows of a Milvus Lite collection are live: the newest of their chunk id, and not deleted.

Milvus Lite determines this for each search, row by row. Only writes change it, so it is cached here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from milvus_lite.engine.collection import Collection
from milvus_lite.storage.segment import Segment

Mask: TypeAlias = npt.NDArray[np.bool_]
_Newer: TypeAlias = Mapping[str, int]
"""Sequence numbers of writes, by chunk id."""


class LiveRows:
    """The live rows of one collection. Not thread-safe."""

    def __init__(self) -> None:
        self._files: Sequence[tuple[str, int]] = ()
        self._deleted: _Newer = {}
        self._in_files: Sequence[Mask | None] = ()
        self._writes = -1
        self._masks: Sequence[Mask | None] = ()
        self._unflushed: Segment | None = None

    def of(self, collection: Collection) -> Iterator[tuple[Segment, Mask | None]]:
        """Each segment with a mask of its live rows; None: all. Rows that are not flushed form the last segment.

        The segments themselves are not remembered: those that a compaction has replaced would stay in memory.
        """
        read, deleted = collection._read_snapshot()
        segments = [segment for segment in read if segment.num_rows]
        files = [(segment.file_path, segment.num_rows) for segment in segments]
        if (self._files, self._writes) != (files, collection._next_seq):
            self._refresh(collection, segments, files, deleted.snapshot)
        yield from zip(segments, self._masks, strict=True)
        if self._unflushed is not None:
            yield self._unflushed, None

    def _refresh(
        self,
        collection: Collection,
        segments: Sequence[Segment],
        files: Sequence[tuple[str, int]],
        deleted: _Newer,
    ) -> None:
        if (self._files, self._deleted) != (files, deleted):
            self._in_files = _newest(segments, deleted)
        memtable = collection._memtable
        newer = {pk: seq for pk, (_, _, seq) in memtable.pk_index_snapshot()}
        newer |= {pk: seq for pk, (seq, _) in memtable.delete_index_snapshot().items()}
        self._masks = [_without(newer, *each) for each in zip(segments, self._in_files, strict=True)]
        self._unflushed = _unflushed(collection)
        self._files, self._deleted, self._writes = files, deleted, collection._next_seq


def _newest(segments: Sequence[Segment], deleted: _Newer) -> list[Mask | None]:
    """For each segment the rows that no other segment and no deletion in a file replaces; None: all."""
    newest = dict(deleted)
    written = [list(zip(segment.pks, segment.seqs.tolist(), strict=True)) for segment in segments]
    for rows in written:
        for pk, seq in rows:
            if newest.get(pk, -1) < seq:
                newest[pk] = seq
    masks = (np.fromiter((newest[pk] == seq for pk, seq in rows), bool, len(rows)) for rows in written)
    return [None if mask.all() else mask for mask in masks]


def _without(newer: _Newer, segment: Segment, mask: Mask | None) -> Mask | None:
    """The mask without rows that a write in memory has replaced or deleted."""
    found = ((segment.find_row(pk), seq) for pk, seq in newer.items())
    rows = [row for row, seq in found if row is not None and segment.seqs[row] < seq]
    if not rows:
        return mask
    mask = np.ones(segment.num_rows, bool) if mask is None else mask.copy()
    mask[rows] = False
    return mask


def _unflushed(collection: Collection) -> Segment | None:
    """The rows in memory as a segment; None: there are none."""
    pks, seqs, vectors, _, table = collection._memtable.to_search_snapshot(None, include_table=True)
    if not pks:
        return None
    return Segment(
        file_path="",
        partition="",
        pk_field=collection._pk_name,
        vector_field="",
        pks=pks,
        seqs=seqs,
        vectors=vectors,
        table=table,
    )
