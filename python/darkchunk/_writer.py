"""Recording: frames from numpy into direct chunks of h5py's own HDF5."""

from __future__ import annotations

import contextlib
import ctypes as c
import os
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _hosted, _native
from ._chunks import _MAX_THREADS, _parts
from ._ending import Ending
from ._errors import UnsupportedError
from ._filters import _UINT32, Bitshuffle, _integer

_ELEMENTS = {np.dtype(name): number for number, name in enumerate(("i1", "u1", "i2", "u2", "i4", "u4"), start=1)}
_NEVER = 1e300


class Summary(NamedTuple):
    """What a writer has done."""

    n_pushed: int  #: frames taken
    n_stored: int  #: frames in the dataset, with those that were there before
    n_flushed: int  #: frames that a crash of the process cannot lose any more
    stored_bytes: int  #: bytes of the chunks that were written
    n_counted: int  #: frames that the following numbers are of
    n_bright: int  #: pixels that are stored with another value than 0
    n_zeroed: int  #: pixels that were not 0 after dark subtraction, and are stored as 0
    zeroed_sum: int  #: the sum of those: what was lost
    n_saturated: int  #: pixels that dark subtraction held at the limit of the type
    n_sentinels: int  #: pixels that are no measurements; in none of the other numbers


class Writer(Ending):
    """Writes frames into a new dataset `(frames, height, width)`, through h5py's HDF5 but not through its filters.

    Of each frame the dark image is subtracted, what is below the threshold set to 0, the rest summed up and encoded.
    Dark image, threshold, sum and counts of what was lost are stored beside the dataset, in the group of its name with
    `_darkchunk` appended. As a context manager it finishes at the end:

        with darkchunk.Writer("run.h5", "/entry/data/data", (1024, 1024), "int16", darkchunk.DRLE(20)) as writer:
            for frame in camera:
                writer.push(frame)

    An object may be used by one thread at a time. Close it before the file.
    """

    def __init__(
        self,
        at: Any,
        name: str,
        shape: Sequence[int],
        dtype: DTypeLike,
        filter: Any = None,
        *,
        frames_per_chunk: int = 1,
        dark: NDArray[Any] | None = None,
        threshold: int = 0,
        sum: bool = True,
        nexus: bool = False,
        flush_frames: int = 0,
        flush_seconds: float | None = 1.0,
        threads: int = 1,
    ) -> None:
        """Makes the dataset.

        `at`: an open file or group of h5py, or the path of a file, which must not exist yet, and is closed at the end;
        where the dataset cannot be made there is no file.
        `shape`: height and width of a frame in pixels. `dtype`: integers of 8, 16 or 32 bits. `filter`: such as
        `DRLE(20)`; None for bitshuffle with LZ4. `dark` (height, width): of 16-bit types; so are `threshold` (1 to
        32767; DRLE has its own) and `sum`. `nexus`: makes the groups by which viewers find the dataset, for a
        name like "/entry/instrument/detector/data".
        `flush_frames`, `flush_seconds`: the file is flushed after so many frames (0: not by number) and so many seconds
        (None: not by time).
        """
        height, width = _frame_shape(shape)
        self._dtype, element = _element(dtype)
        self._shape = (height, width)
        number, values = _parts(Bitshuffle() if filter is None else filter)
        stored = (c.c_uint32 * len(values))(*values)
        chunk = _native.Chunk(
            size=c.sizeof(_native.Chunk),
            element=element,
            filter=number,
            values=c.cast(stored, c.POINTER(c.c_uint32)),
            n_values=len(values),
            n_frames=_integer(frames_per_chunk, "frames_per_chunk", 1, _UINT32 - 1),
            height=height,
            width=width,
        )
        with_, _dark = self._processing(dark, threshold, sum, flush_frames, flush_seconds, threads)
        self._make(
            at,
            lambda where, out: _native.call(
                "dc_writer_create", _hosted.table(), where.id.id, _name(name), chunk, bool(nexus), with_, out
            ),
        )

    @classmethod
    def attach(
        cls,
        at: Any,
        name: str,
        *,
        dark: NDArray[Any] | None = None,
        threshold: int = 0,
        sum: bool = True,
        flush_frames: int = 0,
        flush_seconds: float | None = 1.0,
        threads: int = 1,
    ) -> Writer:
        """Goes on with a dataset that is there, after its last frame. The arguments are those of `Writer`."""
        self = cls.__new__(cls)
        opened = _opened(at, "r+")
        try:
            dataset = opened[name]
            if getattr(dataset, "ndim", 0) != 3:
                raise UnsupportedError(f"{name} is no dataset of (frames, height, width)")
            self._dtype, element = _element(dataset.dtype)
            self._shape = dataset.shape[1:]
            with_, _dark = self._processing(dark, threshold, sum, flush_frames, flush_seconds, threads)
            n_dark = 0 if dark is None else self._shape[0] * self._shape[1]
            del dataset
            self._make(
                opened,
                lambda where, out: _native.call(
                    "dc_writer_attach", _hosted.table(), where.id.id, _name(name), element, n_dark, with_, out
                ),
            )
        except BaseException:
            if opened is not at:
                opened.close()
            raise
        self._own_file = None if opened is at else opened
        return self

    def _processing(
        self,
        dark: NDArray[Any] | None,
        threshold: int,
        sum: bool,
        flush_frames: int,
        flush_seconds: float | None,
        threads: int,
    ) -> tuple[_native.Processing, Any]:
        """A `dc_processing`, and the array that it points to."""
        image = None if dark is None else np.ascontiguousarray(self._checked(dark, self._shape, "dark"))
        with_ = _native.Processing(
            size=c.sizeof(_native.Processing),
            dark=None if image is None else image.ctypes.data,
            threshold=_integer(threshold, "threshold", 0, 32767),
            no_sum=not sum,
            flush_frames=_integer(flush_frames, "flush_frames", 0, 1 << 62),
            flush_seconds=_seconds(flush_seconds),
            n_threads=_integer(threads, "threads", 1, _MAX_THREADS),
        )
        return with_, image

    def _make(self, at: Any, make: Any) -> None:
        handle = c.c_void_p()
        with _made(at) as where, _hosted.lock():
            make(where, c.byref(handle))
        self._own_file = None if where is at else where
        self._handle: c.c_void_p | None = handle
        self._last: Summary | None = None
        self._free = weakref.finalize(self, _free, handle)

    def _checked(self, pixels: Any, shape: tuple[int, ...], what: str) -> NDArray[Any]:
        if not isinstance(pixels, np.ndarray):
            raise TypeError(f"{what} is a numpy array, not {type(pixels).__name__}")
        if pixels.dtype != self._dtype:
            raise TypeError(f"{what} is of {pixels.dtype}, the dataset of {self._dtype}")
        if pixels.shape[-2:] != self._shape or pixels.ndim > len(shape) + (what == "frame"):
            raise ValueError(f"{what} has shape {pixels.shape}, a frame {self._shape}")
        return pixels

    def _call(self, name: str, *arguments: Any) -> None:
        with _hosted.lock():
            if self._handle is None:
                raise UnsupportedError("the writer is closed")
            _native.call(name, self._handle, *arguments)

    def push(self, frame: NDArray[Any], *, in_place: bool = False) -> None:
        """Takes a frame (height, width), or several (n, height, width); what is not contiguous is copied first.

        `in_place`: each frame that is taken is overwritten with what is stored, dark image subtracted and threshold
        applied; the array is to be contiguous and writable.

        `NotStoredError`: it was taken, and is held; go on with the next. `NotTakenError`: it was not (of several:
        `summary.n_pushed` says how many were); push it again. Any other error: it was not.
        """
        pixels = np.ascontiguousarray(self._checked(frame, self._shape, "frame"))
        if in_place and not (frame.flags.c_contiguous and frame.flags.writeable):
            raise ValueError("a frame that is to be overwritten is contiguous and writable: give such an array")
        if pixels.ndim == 2 and not in_place:
            return self._call("dc_writer_push", pixels.ctypes.data)
        pixels = pixels.reshape(-1, *self._shape)
        step, first, n_frames = pixels[0].nbytes if len(pixels) else 0, pixels.ctypes.data, len(pixels)
        addresses = (c.c_void_p * n_frames)(*(first + index * step for index in range(n_frames)))
        name = "dc_writer_push_frames_in_place" if in_place else "dc_writer_push_frames"
        return self._call(name, addresses, n_frames)

    def flush(self) -> None:
        """Stores and flushes all frames that were taken. `NotStoredError`: call it again."""
        self._call("dc_writer_flush")

    def finish(self) -> Summary:
        """Stores all frames, the sum and the counts, and flushes. More frames may follow. `NotStoredError`: call it
        again."""
        self._call("dc_writer_finish")
        return self.summary

    @property
    def summary(self) -> Summary:
        """What was done so far; of a closed writer, in all."""
        if self._last is not None:
            return self._last
        found = _native.Summary()
        self._call("dc_writer_summary", found)
        numbers = [getattr(found, field[0]) for field in _native.Summary._fields_[:-1]]
        counts = [getattr(found.counts, field[0]) for field in _native.Counts._fields_]
        return Summary(*map(int, numbers + counts))

    @property
    def sum(self) -> NDArray[np.int64]:
        """The sum of all frames so far (height, width), as they are stored."""
        address, n_pixels = c.POINTER(c.c_int64)(), c.c_size_t()
        with _hosted.lock():
            self._call("dc_writer_sum", address, n_pixels)
            return np.ctypeslib.as_array(address, (n_pixels.value,)).reshape(self._shape).copy()

    def close(self) -> None:
        """Finishes and ends the writer; closes the file if the writer has opened it. May be called again.

        Where `finish` fails its error is raised, and the writer stays: make room and call it again.
        """
        with _hosted.lock():
            if self._handle is not None:
                last = self.finish()
                self._end()
                self._last = last

    def _end(self) -> None:
        self._handle = None
        self._free()
        if self._own_file is not None:
            self._own_file.close()


def _free(handle: c.c_void_p) -> None:
    with _hosted.lock():
        _native.library().dc_writer_free(handle)


def _opened(at: Any, mode: str, libver: tuple[str, str] | None = None) -> Any:
    """`at`, or the file of this path, opened, in a format if one is given."""
    if not isinstance(at, (str, os.PathLike)):
        return _hosted.group(at)
    import h5py

    return h5py.File(at, mode, libver=libver)


@contextlib.contextmanager
def _made(at: Any, libver: tuple[str, str] | None = None) -> Iterator[Any]:
    """`at`, or a new file of this path, which is removed where what is done with it fails: it has nothing then, and
    would be in the way of the next call."""
    where = _opened(at, "x", libver)
    try:
        yield where
    except BaseException:
        if where is not at:
            where.close()
            with contextlib.suppress(OSError):
                os.unlink(at)
        raise


def _name(name: Any) -> bytes:
    if not isinstance(name, str):
        raise TypeError(f"the dataset's name is a str, not {type(name).__name__}")
    if "\0" in name:
        raise ValueError("the dataset's name has a null character in it")
    return name.encode()


def _frame_shape(shape: Any) -> tuple[int, int]:
    dims = tuple(_integer(n, "height and width", 1, _UINT32 - 1) for n in shape)
    if len(dims) != 2:
        raise ValueError(f"the shape of a frame is (height, width), not {dims}")
    return dims


def _element(dtype: DTypeLike) -> tuple[np.dtype[Any], int]:
    found = np.dtype(dtype)
    if found not in _ELEMENTS or not found.isnative:
        raise UnsupportedError(f"{found!r}: frames are integers of 8, 16 or 32 bits in the machine's byte order")
    return found, _ELEMENTS[found]


def _seconds(seconds: float | None) -> float:
    if seconds is None:
        return _NEVER
    if not seconds > 0:
        raise ValueError(f"flush_seconds is {seconds}: give more than 0, or None")
    return min(float(seconds), _NEVER)
