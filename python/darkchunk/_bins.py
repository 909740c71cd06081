"""Bins that share pixels, as azimuthal bins with split pixels: a sparse matrix."""

from __future__ import annotations

import ctypes as c
import threading
import weakref
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._sparse import Source, pieces


class Integrated(NamedTuple):
    """What `Dataset.integrate` gives; each of shape (frames, bins)."""

    sums: NDArray[np.float64]
    """The sum of weight and pixel; by `weights` it is the average."""
    squares: NDArray[np.float64]
    """The sum of weight and the pixel's square."""
    weights: NDArray[np.float64]
    """The sum of the weights of the pixels that are not ignored."""


class Bins:
    """How much of each pixel of a frame belongs to each bin.

    Made of a matrix with a row for each bin and a column for each pixel (row by row of the frame): one of
    `scipy.sparse` in compressed rows (CSR), or an integrator of pyFAI of that kind
    (`next(iter(AzimuthalIntegrator.engines.values())).engine`). Weights are used as 32-bit floats, as pyFAI has them.
    """

    def __init__(self, matrix: Any) -> None:
        form = getattr(matrix, "format", "csr")
        if form != "csr" or not all(hasattr(matrix, name) for name in ("data", "indices", "indptr")):
            raise TypeError("bins are made of a matrix in compressed rows: `matrix.tocsr()`")
        starts, indices = np.asarray(matrix.indptr), np.asarray(matrix.indices)
        if starts.size == 0 or starts.min() < 0 or (indices.size and not 0 <= indices.min() <= indices.max() < 2**32):
            raise ValueError("the matrix has numbers of pixels or entries below 0, or pixels from 2**32 on")
        self._starts = np.ascontiguousarray(starts, np.uint64)
        self._indices = np.ascontiguousarray(indices, np.uint32)
        self._weights = np.ascontiguousarray(matrix.data, np.float32)
        n = int(self._starts[-1])
        if len(self._indices) != n or len(self._weights) != n:
            raise ValueError(f"the matrix has {len(self._indices)} entries, its rows {n}")
        self._made: dict[int, c.c_void_p] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __repr__(self) -> str:
        return f"<darkchunk.Bins: {len(self)} bins, {len(self._indices)} weights>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._starts, self._indices, self._weights)

    def _of(self, n_pixels: int) -> c.c_void_p:
        """The `dc_bins` for frames of so many pixels."""
        with self._lock:
            if n_pixels not in self._made:
                handle = c.c_void_p()
                places = (array.ctypes.data for array in (self._starts, self._indices, self._weights))
                _native.call("dc_bins_new", n_pixels, len(self), *places, handle)
                weakref.finalize(self, _native.library().dc_bins_free, handle)
                self._made[n_pixels] = handle
            return self._made[n_pixels]


class _Rows:
    def __init__(self, starts: Any, indices: Any, weights: Any) -> None:
        self.indptr, self.indices, self.data = starts, indices, weights


def _again(*parts: Any) -> Bins:
    return Bins(_Rows(*parts))


def integrate(source: Source, begin: int, end: int, ignore: int | None, bins: Bins) -> Integrated:
    """`Dataset.integrate`."""
    handle = bins._of(int(np.prod(source.shape[1:], dtype=np.int64)))
    shape = (end - begin, len(bins))
    found = Integrated(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    for first, last in pieces(begin, end, source.chunk):
        places = [array[first - begin :].ctypes.data for array in found]
        source.call("dc_reader_integrate", source.handle, first, last, source.ignore(ignore), handle, *places)
    return found
