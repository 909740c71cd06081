"""What a `Dataset` gives of its frames that is no image, and the wait for frames that are not there yet."""

from __future__ import annotations

import contextlib
import ctypes as c
import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _bins, _hosted, _native, _reduction, _sparse, _status
from ._errors import UnsupportedError
from ._gate import Gate

# While frames are waited for, a growing file is looked at so often, in seconds.
_LOOK = 0.05
# Of so many frames is asked at once what became of them.
_AT_ONCE = 4096


class Frames:
    """The part of `Dataset` that knows of frames: all that is at one place of the first axis."""

    _handle: c.c_void_p | None
    _shape: tuple[int, ...]
    _dtype: np.dtype[Any]
    _gate: Gate
    _missing: str
    _source: Any
    _n_settled: int = 0

    @property
    def way(self) -> str:
        """Of `Dataset`."""
        raise NotImplementedError

    @property
    def reason(self) -> str:
        """Of `Dataset`."""
        raise NotImplementedError

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Of `Dataset`."""
        raise NotImplementedError

    def refresh(self) -> tuple[int, ...]:
        """Of `Dataset`."""
        raise NotImplementedError

    def sparse(self, start: int, stop: int | None = None, ignore: int | None = None) -> _sparse.Sparse:
        """The pixels of frame `start`, or of the frames `start` to `stop - 1`, that are neither 0 nor `ignore` (a
        value, such as that of masked pixels). A frame is `self[i]`. For integers of up to 32 bits."""
        source, begin, end = self._frames_of(start, start + 1 if stop is None else stop)
        return _sparse.sparse(source, begin, end, ignore)

    def reduce(self, start: int = 0, stop: int | None = None, ignore: int | None = None) -> _reduction.Reduced:
        """Sum, greatest value and count of each pixel over the frames `start` to `stop - 1`, in one pass and without
        images; pixels that are `ignore` are left out. For integers of up to 32 bits."""
        return self._reduction_of(start, stop, ignore).all()

    def sum(self, start: int = 0, stop: int | None = None, ignore: int | None = None) -> NDArray[np.int64]:
        """The `sum` of `reduce`."""
        return self._reduction_of(start, stop, ignore).sum

    def max(self, start: int = 0, stop: int | None = None, ignore: int | None = None) -> NDArray[np.int64]:
        """The `max` of `reduce`."""
        return self._reduction_of(start, stop, ignore).max

    def count(self, start: int = 0, stop: int | None = None, ignore: int | None = None) -> NDArray[np.uint64]:
        """The `counts` of `reduce`."""
        return self._reduction_of(start, stop, ignore).counts

    def reduction(self, ignore: int | None = None) -> _reduction.Reduction:
        """A `Reduction` of no frame yet, for a sum that is wanted again and again while frames are added."""
        return self._reduction_of(0, 0, ignore)

    def _reduction_of(self, start: int, stop: int | None, ignore: int | None) -> _reduction.Reduction:
        source, begin, end = self._frames_of(start, self._shape[0] if stop is None and self._shape else stop)
        return _reduction.reduction(source, begin, end, ignore)

    def regions(
        self, labels: ArrayLike, start: int = 0, stop: int | None = None, ignore: int | None = None
    ) -> _sparse.Regions:
        """For each of the frames `start` to `stop - 1` and each label the sum of its pixels, of their squares, and how
        many there are. `labels`: integers of the shape of a frame; negative ones are of no region."""
        source, begin, end = self._frames_of(start, self._shape[0] if stop is None and self._shape else stop)
        return _sparse.regions(source, begin, end, ignore, labels)

    def integrate(
        self, bins: _bins.Bins, start: int = 0, stop: int | None = None, ignore: int | None = None
    ) -> _bins.Integrated:
        """For each of the frames `start` to `stop - 1` and each bin of `Bins` the weighted sum of its pixels, that of
        their squares, and that of the weights; pixels that are `ignore` are left out. What pyFAI calls an integration,
        with `sums / weights` its average where there is no correction."""
        source, begin, end = self._frames_of(start, self._shape[0] if stop is None and self._shape else stop)
        return _bins.integrate(source, begin, end, ignore, bins)

    def _frames_of(self, start: int, stop: int | None) -> tuple[_sparse.Source, int, int]:
        """What frames are read from, and which."""
        shape = self._shape
        if self._handle is None or not shape:
            raise UnsupportedError(f"there are no frames of integers: {self.reason or 'it has no axes'}")
        if self._missing == "mask":
            raise UnsupportedError("missing='mask' is for images")
        stop = shape[0] if stop is None else stop
        if not 0 <= start <= stop <= shape[0]:
            raise IndexError(f"frames {start} to {stop} of a dataset that has {shape[0]}")

        def call(name: str, *arguments: Any) -> None:
            with self._gate.inside(), contextlib.nullcontext() if self.way == "direct" else _hosted.lock():
                _native.call(name, *arguments)

        chunk = self.chunks[0] if self.chunks else 1
        return _sparse.Source(self._handle, shape, self._dtype, chunk, call), start, stop

    @property
    def n_stored(self) -> int:
        """How many of the first frames are stored, all of each, as of the last `refresh`."""
        if self._handle is None:
            return self._shape[0] if self._shape else 0
        found = c.c_uint64()
        with self._gate.inside():
            _native.call("dc_reader_n_stored", self._handle, found)
        return found.value

    def wait(self, n: int, timeout: float | None = None) -> int:
        """Waits until the first `n` frames are settled, for `timeout` seconds at most, and returns how many are. None:
        without a limit. Settled is a frame that is stored, and one of which the column `frame_status` beside the
        dataset says that it was vetoed, dropped, refused or lost. A frame of which a chunk is not stored yet, or that
        never came, does not count, nor do those after it."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._settled() < n:
            self.refresh()
            left = _LOOK if end is None else end - time.monotonic()
            if self._settled() >= n or left <= 0:
                break
            time.sleep(min(_LOOK, left))
        return self._n_settled

    def _settled(self) -> int:
        """How many of the first frames are settled, as of the last `refresh`."""
        done, end = max(self.n_stored, self._n_settled), self._shape[0] if self._shape else 0
        while done < end:
            stop = min(end, done + _AT_ONCE)
            with self._gate.inside():
                is_settled = ~self._absent(done, stop) | _status.settled(_status.of(self._source, done, stop))
            n_more = len(is_settled) if is_settled.all() else int(is_settled.argmin())
            done += n_more
            if n_more < len(is_settled):
                break
        self._n_settled = done
        return done

    def _absent(self, start: int, stop: int) -> NDArray[np.bool_]:
        """For the frames `start` to `stop - 1` whether a chunk of each is not in the file."""
        chunk, n = self._source.chunks, len(self._shape)
        # One element of each chunk; without chunks all frames count as stored.
        count = (stop - start, *(-(-dim // of) for dim, of in zip(self._shape[1:], chunk[1:], strict=True)))
        numbers = [(c.c_uint64 * n)(*part) for part in ((start, *[0] * (n - 1)), count, (1, *chunk[1:]))]
        found = np.zeros(count, np.uint8)
        _native.call("dc_reader_missing", self._handle, *numbers, found.ctypes.data)
        return np.asarray(found.reshape(stop - start, -1).any(axis=1))
