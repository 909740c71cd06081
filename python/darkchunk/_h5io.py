"""`h5io.h` by ctypes: what a library of functions over slices is to its host."""

from __future__ import annotations

import ctypes as c
from typing import Any

import numpy as np

ABI = 1
MAX_RANK = 32
SKIP, STOP, FAILED = -1, -2, 1
#: Several threads may call `process` with one context.
ANY = 2
_BYTES = 100
#: The numbers of C by `h5io`'s numbers.
TYPES = {
    name: number
    for number, name in enumerate(
        ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"],
        start=1,
    )
}


class Param(c.Structure):
    """`h5io_global_param_t`; no field of it is read here."""


class Dataspace(c.Structure):
    """`h5io_dataspace_t`."""

    _fields_ = [
        ("struct_size", c.c_uint32),
        ("type", c.c_int32),
        ("element_bytes", c.c_uint64),
        ("rank", c.c_int32),
        ("is_fixed", c.c_int32),
        ("shape", c.c_int64 * MAX_RANK),
        ("n_slices", c.c_int64),
        ("before", c.c_int64),
        ("n_axes", c.c_int64),
        ("place", c.c_int64 * MAX_RANK),
        ("data", c.c_void_p),
    ]

    def memory(self) -> Any:
        """Its bytes, where they are. They are there as long as the call of `process`."""
        n_bytes = self.element_bytes
        for n in self.shape[: self.rank]:
            n_bytes *= n
        return (c.c_char * n_bytes).from_address(self.data) if n_bytes else (c.c_char * 0)()

    def array(self, memory: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, np.dtype[Any]]:
        """The same as an array."""
        return np.frombuffer(memory, dtype).reshape(tuple(self.shape[: self.rank]))


def type_of(dtype: np.dtype[Any]) -> int:
    """The number of an element type, 100 for what is none of C's numbers."""
    return TYPES.get(f"{dtype.kind}{dtype.itemsize}", _BYTES)


_SPACES, _TEXT = c.POINTER(Dataspace), c.POINTER(c.c_char_p)
_INT, _INT_POINTER = c.c_int, c.POINTER(c.c_int)
#: The functions of a table in its order, with the types of their arguments.
FUNCTIONS: dict[str, Any] = {
    "h5io_init": c.CFUNCTYPE(_INT, c.POINTER(c.c_void_p), c.POINTER(Param), _INT_POINTER, _INT_POINTER),
    "request_input": c.CFUNCTYPE(_INT, c.c_void_p, _INT, _TEXT),
    "set_input_slice": c.CFUNCTYPE(_INT, c.c_void_p, _INT, _SPACES, _INT_POINTER),
    "request_output": c.CFUNCTYPE(_INT, c.c_void_p, _INT, _TEXT, _SPACES),
    "process": c.CFUNCTYPE(_INT, c.c_void_p, c.c_int64, _INT, _SPACES, _INT, _SPACES),
    "processing_complete": c.CFUNCTYPE(_INT, c.c_void_p),
    # The address of a text: ctypes cannot return one of Python's.
    "get_error_code": c.CFUNCTYPE(c.c_void_p, c.c_void_p, _INT),
    "set_padding": c.CFUNCTYPE(_INT, c.c_void_p, _INT, _INT_POINTER, _INT_POINTER),
    "set_block": c.CFUNCTYPE(_INT, c.c_void_p, _INT_POINTER),
}


class Table(c.Structure):
    """`h5io_library_t`."""

    _fields_ = [
        ("struct_size", c.c_uint32),
        ("abi", c.c_uint32),
        ("threads", c.c_int32),
        ("reserved", c.c_int32),
        ("name", c.c_char_p),
        ("version", c.c_char_p),
        *FUNCTIONS.items(),
    ]
