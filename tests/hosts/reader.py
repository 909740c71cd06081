"""The C library's reader beside h5py, by ctypes: what the tests of it share."""

import ctypes as C

import h5py
import numpy as np
from h5py._objects import phil

from common import PLUGINS

DIRECT, BY_HDF5, CHUNKS = 1, 2, 3
MISSING_FILL, MISSING_ERROR = 0, 1


class Options(C.Structure):
    _fields_ = [("size", C.c_size_t), ("n_threads", C.c_size_t), ("missing", C.c_int), ("only_hdf5", C.c_int)]


class Info(C.Structure):
    _fields_ = [
        ("size", C.c_size_t),
        ("way", C.c_int),
        ("rank", C.c_int),
        ("shape", C.c_uint64 * 32),
        ("chunk", C.c_uint64 * 32),
        ("element_bytes", C.c_size_t),
        ("element", C.c_int),
        ("is_big_endian", C.c_int),
        ("n_filters", C.c_int),
        ("filters", C.c_uint32 * 32),
        ("n_chunks", C.c_uint64),
        ("stored_bytes", C.c_uint64),
    ]


def load():
    """The library, and the table of h5py's HDF5."""
    library = C.CDLL(str(PLUGINS.parent / "lib" / "libdarkchunk.so"))
    library.dc_last_error.restype = library.dc_reader_reason.restype = C.c_char_p
    library.dc_hdf5_size.restype = C.c_size_t
    table = C.create_string_buffer(library.dc_hdf5_size())
    C.cast(table, C.POINTER(C.c_size_t))[0] = len(table)
    handle = C.c_void_p(C.CDLL(h5py.h5d.__file__)._handle)
    with phil:
        status = library.dc_hdf5_load(None, handle, table)
    assert status == 0, library.dc_last_error()
    return library, table


LIBRARY, TABLE = load()


def check(status):
    if status:
        raise OSError(status, LIBRARY.dc_last_error().decode())


class Reader:
    """A reader of an h5py dataset, for as long as its file is open."""

    def __init__(self, dataset, n_threads=2, missing=MISSING_FILL, only_hdf5=False):
        self.dataset, self.handle = dataset, C.c_void_p()
        options = Options(C.sizeof(Options), n_threads, missing, only_hdf5)
        with phil:
            identifier = C.c_int64(dataset.id.id)
            check(LIBRARY.dc_reader_open(TABLE, identifier, C.byref(options), C.byref(self.handle)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with phil:
            LIBRARY.dc_reader_free(self.handle)

    @property
    def info(self):
        info = Info(C.sizeof(Info))
        check(LIBRARY.dc_reader_info_of(self.handle, C.byref(info)))
        return info

    @property
    def reason(self):
        return LIBRARY.dc_reader_reason(self.handle).decode()

    def refresh(self):
        with phil:
            check(LIBRARY.dc_reader_refresh(self.handle))

    def read(self, start=None, count=None, step=None):
        """The elements as they are stored, in pieces of 0.1 s."""
        shape = list(self.info.shape[: self.info.rank])
        start, count = start or [0] * len(shape), count or shape
        found = np.zeros(count, self.dataset.dtype)
        array = lambda numbers: (C.c_uint64 * len(numbers))(*numbers) if numbers is not None else None
        read, is_done, place = C.c_void_p(), C.c_int(), C.c_void_p(found.ctypes.data)
        strides = (C.c_int64 * found.ndim)(*found.strides)
        arguments = array(start), array(count), array(step), place, strides
        check(LIBRARY.dc_read_begin(self.handle, *arguments, C.byref(read)))
        try:
            while not is_done.value:
                self.one_step(read, is_done)
        finally:
            LIBRARY.dc_read_free(read)
        return found

    def one_step(self, read, is_done):
        if self.info.way == DIRECT:
            return check(LIBRARY.dc_read_step(read, C.c_double(0.1), C.byref(is_done)))
        with phil:
            check(LIBRARY.dc_read_step(read, C.c_double(0.1), C.byref(is_done)))
