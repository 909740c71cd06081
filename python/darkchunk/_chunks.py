"""Single chunks, encoded and decoded without HDF5."""

from __future__ import annotations

import ctypes as c
import math
import operator
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _native
from ._errors import DamagedError
from ._filters import _UINT32, _integer

_MAX_THREADS = 1024


def _parts(filter: Any) -> tuple[int, tuple[int, ...]]:
    """Number and parameters of a filter object, ours or hdf5plugin's, or of a pair of them."""
    number = getattr(filter, "filter_id", None)
    if number is not None:
        return int(number), tuple(filter.filter_options)
    if isinstance(filter, Sequence) and not isinstance(filter, (str, bytes)) and len(filter) == 2:
        number = _integer(filter[0], "the filter's number", 0, _UINT32 - 1)
        return number, tuple(_integer(value, "a parameter", 0, _UINT32 - 1) for value in filter[1])
    raise TypeError(f"a filter is an object such as darkchunk.Bitshuffle(), or (number, parameters), not {filter!r}")


def _fixed(dtype: DTypeLike) -> np.dtype[Any]:
    found = np.dtype(dtype)
    if found.hasobject or found.itemsize == 0:
        raise TypeError(f"elements of {found!r} have no fixed bytes, which a chunk is made of")
    return found


def _shape(shape: Any) -> tuple[int, ...]:
    dims: tuple[int, ...]
    try:
        dims = (operator.index(shape),)
    except TypeError:
        dims = tuple(_integer(n, "a dimension", 1, 1 << 40) for n in shape)
    if not dims or min(dims) < 1:
        raise ValueError(f"a chunk has one or more dimensions, none of them 0, not {dims}")
    return dims


class _Plan:
    """A `dc_array`, and what it points to."""

    def __init__(
        self, number: int, values: Sequence[int], dtype: np.dtype[Any], shape: Sequence[int], threads: int = 1
    ) -> None:
        self.dtype, self.shape = dtype, tuple(shape)
        self._values = (c.c_uint32 * len(values))(*values)
        self._dims = (c.c_uint64 * len(shape))(*shape)
        base = dtype.base.itemsize
        self.array = _native.Array(
            size=c.sizeof(_native.Array),
            filter=number,
            values=c.cast(self._values, c.POINTER(c.c_uint32)),
            n_values=len(values),
            number=3 if dtype.kind == "f" and dtype.itemsize == 4 else {"u": 1, "i": 2}.get(dtype.kind, 0),
            is_big_endian=dtype.byteorder == ">" or (dtype.byteorder in "=|" and sys.byteorder == "big"),
            element_bytes=dtype.itemsize,
            base_bytes=base,
            dims=c.cast(self._dims, c.POINTER(c.c_uint64)),
            n_dims=len(shape),
            n_threads=_integer(threads, "threads", 1, _MAX_THREADS),
        )

    @property
    def n_bytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape)

    def stored(self) -> tuple[int, ...]:
        """The parameters as a file stores them."""
        values, n_values = (c.c_uint32 * _native.MAX_VALUES)(), c.c_size_t()
        _native.call("dc_array_cd_values", self.array, values, len(values), n_values)
        return tuple(values[: n_values.value])

    def encode(self, pixels: NDArray[Any]) -> bytes:
        """`pixels` are contiguous, and as many as the shape says."""
        most, n_bytes = c.c_size_t(), c.c_size_t()
        _native.call("dc_array_max_encoded_len", self.array, most)
        out = np.empty(most.value, np.uint8)
        source = pixels.ctypes.data
        _native.call("dc_array_encode", self.array, source, pixels.nbytes, out.ctypes.data, out.nbytes, n_bytes)
        return out[: n_bytes.value].tobytes()

    def decode(self, source: NDArray[np.uint8], out: NDArray[Any]) -> None:
        """Into the whole of `out`, which is contiguous."""
        _native.call("dc_array_decode", self.array, source.ctypes.data, source.nbytes, out.ctypes.data, out.nbytes)


def stored_values(filter: Any, dtype: DTypeLike, chunks: Sequence[int]) -> tuple[int, ...]:
    """The filter's parameters as a file stores them."""
    number, values = _parts(filter)
    return _Plan(number, values, _fixed(dtype), _shape(chunks)).stored()


def encode_chunk(a: Any, filter: Any, threads: int = 1) -> bytes:
    """The stored bytes of a chunk: what `Dataset.id.write_direct_chunk` of h5py takes.

    `a`: the whole chunk, an array of any shape and of elements of fixed size (DRLE: 16-bit integers), in the byte
    order that the dataset has; what is not contiguous is copied first. `filter`: an object such as
    `darkchunk.DRLE(20)`, or `(number, parameters)`. `threads` may work on it; the bytes are the same with any number.
    """
    pixels = np.asarray(a)
    dtype = _fixed(pixels.dtype)
    number, values = _parts(filter)
    plan = _Plan(number, values, dtype, _shape(pixels.shape), threads)
    plan.stored()  # refuses what cannot be, before a copy is made
    return plan.encode(np.ascontiguousarray(pixels))


def decode_chunk(
    b: Any,
    filter: Any,
    dtype: DTypeLike,
    shape: Sequence[int] | int,
    out: NDArray[Any] | None = None,
    mask: int = 0,
    threads: int = 1,
) -> NDArray[Any]:
    """The pixels of a stored chunk: an array of `shape` (elements) and `dtype`, which is `out` if that is given.

    `b`: the stored bytes, any buffer; they may be damaged or malicious. `filter`: an object such as
    `darkchunk.Bitshuffle()`, or `(number, parameters)` as the file stores them; or a list of these, in the dataset's
    order, in which HDF5's shuffle (2), deflate (1), fletcher32 (3), LZF (32000) and LZO (305) may be, too. `out`: a
    contiguous array of this shape and dtype that may be written; on an error its content is unspecified. `mask`: the
    chunk's filter mask, a bit for each filter that was not applied to it. `threads` may work on it, where there is one
    filter.
    """
    kind, dims = _fixed(dtype), _shape(shape)
    source = _bytes_of(b)
    pixels = np.empty(dims, kind) if out is None else _checked(out, kind, dims)
    if isinstance(filter, list):
        _decode_all(source, filter, pixels, _integer(mask, "mask", 0, _UINT32 - 1))
        return pixels
    number, values = _parts(filter)
    plan = _Plan(number, values, kind, dims, threads)
    if _integer(mask, "mask", 0, 1):
        if source.nbytes != plan.n_bytes:
            raise DamagedError(f"the chunk is raw and has {source.nbytes} bytes, not {plan.n_bytes}")
        pixels.reshape(-1).view(np.uint8)[:] = source
        return pixels
    if getattr(filter, "filter_id", None) is not None:
        # What was given becomes what is stored.
        plan = _Plan(number, plan.stored(), kind, dims, threads)
    plan.decode(source, pixels)
    return pixels


def _decode_all(source: NDArray[np.uint8], filters: list[Any], pixels: NDArray[Any], mask: int) -> None:
    """Through several filters, the last one first, but those whose bit is in `mask`."""
    kept, chain = [], (_native.FilterOf * len(filters))()
    for place, one in enumerate(filters):
        number, given = _parts(one)
        is_object = getattr(one, "filter_id", None) is not None
        values = _Plan(number, given, pixels.dtype, pixels.shape).stored() if is_object else given
        array = (c.c_uint32 * len(values))(*values)
        kept.append(array)
        chain[place] = _native.FilterOf(number, c.cast(array, c.POINTER(c.c_uint32)), len(values))
    target = (pixels.ctypes.data, pixels.nbytes)
    _native.call("dc_decode_pipeline", chain, len(filters), mask, source.ctypes.data, source.nbytes, *target)


def _bytes_of(b: Any) -> NDArray[np.uint8]:
    try:
        view = memoryview(b)
    except TypeError:
        raise TypeError(f"a chunk is bytes, or another buffer, not {type(b).__name__}") from None
    if not view.c_contiguous:
        raise ValueError("the chunk's bytes are not contiguous")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)


def _checked(out: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is a numpy array, not {type(out).__name__}")
    if out.dtype != dtype or out.shape != shape:
        raise ValueError(f"out is {out.dtype} of shape {out.shape}, the chunk {dtype} of shape {shape}")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError("out must be contiguous, and writable")
    return out
