"""What a reader has done."""

from __future__ import annotations

import ctypes as c
from typing import NamedTuple

from . import _native


class Statistics(NamedTuple):
    """What a `Dataset` has done since it was opened."""

    read_bytes: int
    """From the file beside HDF5."""
    whole_chunks: int
    """Chunks that were decoded whole."""
    partial_chunks: int
    """Chunks of which a part was decoded."""
    partial_blocks: int
    """The blocks of these parts."""


def of(handle: c.c_void_p | None) -> Statistics:
    """Of a `dc_reader`; zeros where h5py reads."""
    found = _native.ReaderStatistics(size=c.sizeof(_native.ReaderStatistics))
    if handle is not None:
        _native.call("dc_reader_statistics_of", handle, found)
    return Statistics(found.read_bytes, found.whole_chunks, found.partial_chunks, found.partial_blocks)
