"""h5py's own HDF5, for the library: the table of its functions, and its lock.

Every call that uses HDF5 is made with `lock()` held: the HDF5 of h5py's wheel is not thread-safe.
"""

from __future__ import annotations

import contextlib
import ctypes as c
import functools
import importlib
import sys
from collections.abc import Iterator
from typing import Any

from . import _native
from ._errors import UnsupportedError


def lock() -> Any:
    """h5py's lock, which a thread may take again."""
    from h5py._objects import phil

    return phil


@functools.cache
def table() -> Any:
    """The table of the functions of h5py's HDF5 (`dc_hdf5`). h5py stays loaded."""
    buffer = c.create_string_buffer(_native.library().dc_hdf5_size())
    c.c_size_t.from_buffer(buffer).value = len(buffer)
    with lock():
        _native.call("dc_hdf5_load", None, _module()._handle, buffer)
    return buffer


@functools.cache
def _gates() -> tuple[Any, Any]:
    """h5py's lock as two functions of C. A thread that waits for it lets go of Python's."""
    function = c.CFUNCTYPE(None)
    return function(lambda: lock().acquire() and None), function(lambda: lock().release() and None)


@functools.cache
def guarded_table() -> Any:
    """The table for a call that is long: the library takes h5py's lock itself, around each use of HDF5."""
    size, (enter, leave) = c.sizeof(c.c_size_t), _gates()
    buffer = c.create_string_buffer(bytes(table()), len(table()))
    # Its size, and then the two functions.
    for at, gate in ((size, enter), (size + c.sizeof(c.c_void_p), leave)):
        c.c_void_p.from_buffer(buffer, at).value = c.cast(gate, c.c_void_p).value
    return buffer


@contextlib.contextmanager
def loaded() -> Iterator[None]:
    """The library finds an HDF5 by itself, first of all one in this process: so that it is h5py's, or PyTables' where
    there is no h5py. Without both it looks further: DARKCHUNK_HDF5, the system's. With h5py's lock held."""
    for package in ("h5py", "tables"):
        with contextlib.suppress(ImportError):
            importlib.import_module(package)
            break
    with lock() if "h5py._objects" in sys.modules else contextlib.nullcontext():
        yield


def _module() -> c.CDLL:
    """A module of h5py, by which its HDF5 is found; on Windows, where a module shows nothing of others, that HDF5."""
    import h5py

    return c.CDLL("hdf5.dll" if sys.platform == "win32" else h5py.h5d.__file__)


def group(at: Any) -> Any:
    """`at` as an open file or group of h5py."""
    import h5py

    if not isinstance(at, h5py.Group):
        raise TypeError(f"a file or group of h5py is needed, not {type(at).__name__}")
    if not at:
        raise UnsupportedError("the file is closed")
    return at


def access_to_growing() -> Any:
    """How a file is opened that a writer adds to: with as many attempts to read as the library's own
    (`hdf5/src/file.rs` has the reason)."""
    from h5py import h5p

    access, function = h5p.create(h5p.FILE_ACCESS), _module().H5Pset_metadata_read_attempts
    function.argtypes, function.restype = [c.c_int64, c.c_uint], c.c_int
    with lock():
        if function(access.id, 32) < 0:
            raise UnsupportedError("HDF5 does not let itself be told how often it reads again")
    return access


def edges_are_raw(dcpl: Any) -> bool:
    """Whether chunks that the dataset's shape cuts are stored without filters (`H5Pset_chunk_opts`)."""
    function, options = _module().H5Pget_chunk_opts, c.c_uint()
    function.argtypes, function.restype = [c.c_int64, c.POINTER(c.c_uint)], c.c_int
    with lock():
        if function(dcpl.id, options) < 0:
            raise UnsupportedError("HDF5 does not say how the chunks at the edges are stored")
    return bool(options.value & 2)
