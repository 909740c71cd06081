"""Frames without images: their pixels that are not 0, and sums over frames and over regions.

A frame is all that is at one place of the first axis. DRLE's pixels come out of its streams, those of other filters
block by block.
"""

from __future__ import annotations

import ctypes as c
import importlib
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _native

# A call into the library takes about so many seconds, so that Ctrl-C is seen.
PIECE = 0.1


class Sparse:
    """The pixels of some frames that are not 0 (nor ignored), frame by frame, in rising order within each.

    `values`: the pixels, `indices`: their places in their frame, row by row, `offsets`: frame `i` has
    `values[offsets[i]:offsets[i + 1]]`, `shape`: of all frames together.
    """

    def __init__(
        self,
        values: NDArray[Any],
        indices: NDArray[np.uint32],
        offsets: NDArray[np.uint64],
        shape: tuple[int, ...],
    ) -> None:
        self.values, self.indices, self.offsets, self.shape = values, indices, offsets, shape

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        return f"<darkchunk.Sparse of {self.shape}: {len(self.values)} pixels of {self.values.dtype}>"

    def coo(self) -> tuple[NDArray[np.uint64], ...]:
        """For each axis the places of all pixels, as `numpy.nonzero` gives them."""
        numbers = np.repeat(np.arange(len(self), dtype=np.uint64), np.diff(self.offsets).astype(np.intp))
        inside = np.unravel_index(self.indices.astype(np.intp), self.shape[1:]) if len(self.shape) > 1 else ()
        return (numbers, *(axis.astype(np.uint64) for axis in inside))

    def to_scipy(self) -> Any:
        """A `scipy.sparse.csr_array` with a row for each frame."""
        sparse = importlib.import_module("scipy.sparse")
        n_pixels = int(np.prod(self.shape[1:], dtype=np.int64))
        # scipy adds in the machine's own byte order.
        values = self.values.astype(self.values.dtype.newbyteorder("="), copy=False)
        parts = (values, self.indices.astype(np.int64), self.offsets.astype(np.int64))
        return sparse.csr_array(parts, shape=(len(self), n_pixels))

    def to_dense(self) -> NDArray[Any]:
        """The frames as images; 0 where a pixel is not here."""
        out = np.zeros((len(self), int(np.prod(self.shape[1:], dtype=np.int64))), self.values.dtype)
        numbers = np.repeat(np.arange(len(self)), np.diff(self.offsets).astype(np.intp))
        out[numbers, self.indices] = self.values
        return out.reshape(self.shape)


class Regions(NamedTuple):
    """What `Dataset.regions` gives; each of shape (frames, labels)."""

    sums: NDArray[np.int64]
    """The sum of the pixels."""
    squares: NDArray[np.float64]
    """The sum of their squares."""
    counts: NDArray[np.uint64]
    """How many there are that are not ignored, zeros among them."""


def pieces(begin: int, end: int, step: int) -> Iterator[tuple[int, int]]:
    """Ranges of frames that together are all; each takes about as long as a piece may."""
    n = max(1, step)
    while begin < end:
        stop, start = min(end, begin + n), time.monotonic()
        yield begin, stop
        took = time.monotonic() - start
        # What a call costs whatever its frames (a sum is as large as several images) is not paid for each of them.
        n = min(max(step, n * 2 if took < 2 * PIECE else n if took < 4 * PIECE else n // 2), 1 << 20)
        begin = stop


class Source(NamedTuple):
    """A `dc_reader`, and what is known of it."""

    handle: c.c_void_p
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk: int
    """Frames of a chunk."""
    call: Callable[..., None]
    """Calls a function of the library, with HDF5's lock where that is needed."""

    def ignore(self, value: int | None) -> Any:
        return None if value is None else c.byref(c.c_int64(value))


def sparse(source: Source, begin: int, end: int, ignore: int | None) -> Sparse:
    """`Dataset.sparse`."""
    values, indices, offsets, n = [], [], [np.zeros(1, np.uint64)], 0
    for first, last in pieces(begin, end, source.chunk):
        handle = c.c_void_p()
        source.call("dc_reader_sparse", source.handle, first, last, source.ignore(ignore), handle)
        found = _arrays(_Owner(handle), last - first, source.dtype)
        values.append(found[0])
        indices.append(found[1])
        offsets.append(found[2][1:] + np.uint64(n))
        n += len(found[0])
    all_values = _joined(values, source.dtype)
    all_indices = _joined(indices, np.dtype(np.uint32))
    return Sparse(all_values, all_indices, np.concatenate(offsets), (end - begin, *source.shape[1:]))


def _joined(parts: list[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts], dtype=dtype)


class _Owner:
    """Frees a `dc_sparse` when the last array of its memory is gone."""

    def __init__(self, handle: c.c_void_p) -> None:
        self.handle = handle
        weakref.finalize(self, _native.library().dc_sparse_free, handle)


def _arrays(owner: _Owner, n_frames: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], ...]:
    """The arrays of a `dc_sparse`, in its memory."""
    offsets, indices, values, n = c.c_void_p(), c.c_void_p(), c.c_void_p(), c.c_size_t()
    _native.call("dc_sparse_get", owner.handle, offsets, indices, values, n)

    def array(at: c.c_void_p, count: int, kind: Any) -> NDArray[Any]:
        kind = np.dtype(kind)
        if not count:
            return np.empty(0, kind)
        memory = (c.c_char * (count * kind.itemsize)).from_address(at.value or 0)
        memory.owner = owner
        return np.frombuffer(memory, kind)

    return array(values, n.value, dtype), array(indices, n.value, np.uint32), array(offsets, n_frames + 1, np.uint64)


def regions(source: Source, begin: int, end: int, ignore: int | None, labels: ArrayLike) -> Regions:
    """`Dataset.regions`."""
    given = np.asarray(labels)
    if given.dtype.kind not in "iub" or given.shape != source.shape[1:]:
        raise ValueError(f"labels are integers of the shape of a frame, {source.shape[1:]}")
    if given.size and int(given.max()) >= 2**32 - 1:
        raise ValueError("labels are below 2**32 - 1")
    n_labels = int(given.max()) + 1 if given.size else 0
    n_labels = max(n_labels, 0)
    plain = np.ascontiguousarray(np.where(given < 0, 2**32 - 1, given), np.uint32)
    shape = (end - begin, n_labels)
    found = Regions(np.zeros(shape, np.int64), np.zeros(shape, np.float64), np.zeros(shape, np.uint64))
    for first, last in pieces(begin, end, source.chunk):
        places = [array[first - begin :].ctypes.data for array in found]
        arguments = (plain.ctypes.data, n_labels, *places)
        source.call("dc_reader_regions", source.handle, first, last, source.ignore(ignore), *arguments)
    return found
