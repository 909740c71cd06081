"""Where the blocks of chunks are, in a file beside the dataset's."""

from __future__ import annotations

import ctypes as c
import os

from . import _native
from ._gate import Gate
from ._sparse import PIECE


def write(handle: c.c_void_p, gate: Gate, path: str | os.PathLike[str]) -> None:
    """Walks all chunks."""
    index, is_done = c.c_void_p(), c.c_int()
    with gate.inside():
        _native.call("dc_index_begin", handle, os.fsencode(path), index)
        try:
            while not is_done.value:
                _native.call("dc_index_step", index, PIECE, is_done)
        finally:
            _native.library().dc_index_free(index)


def load(handle: c.c_void_p, path: str | os.PathLike[str]) -> int:
    """How many chunks it says something of."""
    n_chunks = c.c_uint64()
    _native.call("dc_reader_load_index", handle, os.fsencode(path), n_chunks)
    return n_chunks.value
