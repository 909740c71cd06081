"""Sums over frames that go on from call to call."""

from __future__ import annotations

import ctypes as c
import threading
import weakref
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._sparse import PIECE, Source


class Reduced(NamedTuple):
    """What `Dataset.reduce` gives; each of the shape of a frame."""

    sum: NDArray[np.int64]
    """Over the frames."""
    max: NDArray[np.int64]
    """The greatest value; 0 where all are ignored."""
    counts: NDArray[np.uint64]
    """In how many frames the pixel is neither 0 nor ignored."""


class Reduction:
    """Sum, greatest value and count of each pixel, to which frames are added: a call costs what its frames cost, so
    that a running sum of a growing file is cheap. Made by `Dataset.reduction`; it may take frames of other datasets,
    too, if these have the same shape and pixels."""

    def __init__(self, source: Source, ignore: int | None) -> None:
        """Use `Dataset.reduction`."""
        self._shape, self._n_frames = source.shape[1:], 0
        self._handle, self._lock = c.c_void_p(), threading.Lock()
        _native.call("dc_reduction_new", source.handle, source.ignore(ignore), self._handle)
        weakref.finalize(self, _native.library().dc_reduction_free, self._handle)

    def __len__(self) -> int:
        return self._n_frames

    def __repr__(self) -> str:
        return f"<darkchunk.Reduction of {self._n_frames} frames {self._shape}>"

    def add(self, dataset: Any, start: int, stop: int | None = None) -> None:
        """Adds frame `start`, or the frames `start` to `stop - 1`, of a `Dataset`."""
        source, begin, end = dataset._frames_of(start, start + 1 if stop is None else stop)
        self._add(source, begin, end)

    def _add(self, source: Source, begin: int, end: int) -> None:
        if source.shape[1:] != self._shape:
            raise ValueError(f"frames of {source.shape[1:]} are not added to those of {self._shape}")
        next = c.c_uint64(begin)
        with self._lock:
            while next.value < end:
                first = next.value
                source.call("dc_reduction_add", self._handle, source.handle, first, end, PIECE, next)
                self._n_frames += next.value - first

    @property
    def sum(self) -> NDArray[np.int64]:
        """Of all frames that were added."""
        (found,) = self._get("sum")
        return found

    @property
    def max(self) -> NDArray[np.int64]:
        """The greatest value of each pixel; 0 where all are ignored."""
        (found,) = self._get("max")
        return found

    @property
    def counts(self) -> NDArray[np.uint64]:
        """In how many frames each pixel is neither 0 nor ignored."""
        (found,) = self._get("counts")
        return found

    def all(self) -> Reduced:
        """Sum, greatest value and counts."""
        return Reduced(*self._get(*Reduced._fields))

    def _get(self, *wanted: str) -> list[NDArray[Any]]:
        found = {name: np.empty(self._shape, np.uint64 if name == "counts" else np.int64) for name in wanted}
        places = [found[name].ctypes.data if name in found else None for name in Reduced._fields]
        with self._lock:
            _native.call("dc_reduction_get", self._handle, *places)
        return list(found.values())


def reduction(source: Source, begin: int, end: int, ignore: int | None) -> Reduction:
    """Of these frames."""
    made = Reduction(source, ignore)
    made._add(source, begin, end)
    return made
