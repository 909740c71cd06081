"""A Python function as a library of `h5io.h`: what a host asks it, and how a call of it ends.

The host's threads take Python's lock for a call and no longer. No exception leaves a function here: it is kept, the
first by the order of the slices, and the host is told that the slice has failed.
"""

from __future__ import annotations

import ctypes as c
import gc
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import _h5io
from ._errors import ArgumentError, Error
from ._filters import _integer
from ._version import version


class _Sign:
    def __init__(self, name: str, code: int) -> None:
        self._name, self.code = name, code

    def __repr__(self) -> str:
        return f"darkchunk.slices.{self._name}"


#: Returned by a function: these slices have no outputs, and that is well.
SKIP = _Sign("SKIP", _h5io.SKIP)
#: Returned by a function: neither for these slices nor for those after them.
STOP = _Sign("STOP", _h5io.STOP)

_MAX_BLOCK = 1 << 20


class Library:
    """The table of a function, and what it has done. It lives until the host has ended with it."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        function: Callable[..., Any],
        inputs: Mapping[str, Sequence[int]] | Sequence[tuple[str, Sequence[int]]],
        outputs: Mapping[str, tuple[Any, Sequence[int]]] | None,
        padding: int | tuple[int, int],
        block: int,
        place: bool,
        arguments: dict[str, Any],
    ) -> None:
        """The arguments are those of `darkchunk.slices.run`."""
        if not callable(function):
            raise TypeError(f"a function is needed, not {function!r}")
        self.function, self.arguments, self.has_place = function, arguments, bool(place)
        self._inputs = _inputs(path, inputs)
        self._outputs = _outputs(outputs)
        before, after = (padding, padding) if isinstance(padding, int) else padding
        self._padding = _integer(before, "padding", 0, _MAX_BLOCK), _integer(after, "padding", 0, _MAX_BLOCK)
        self._block = _integer(block, "block", 1, _MAX_BLOCK)
        self._n_axes = max((axis for _, _, map_ in self._inputs for axis in map_), default=0)
        #: What went wrong before the first slice.
        self.error: BaseException | None = None
        #: The first slice that failed: its number, its place, and what was raised.
        self.failure: tuple[int, tuple[int, ...], BaseException] | None = None
        self._lock, self._active = threading.Lock(), set[int]()
        self._is_over, self._texts = False, dict[int, Any]()
        self.table = self._table()

    def _table(self) -> _h5io.Table:
        functions = {
            name: kind(self._guarded(getattr(self, f"_{name}"))) if name not in ("process", "get_error_code") else None
            for name, kind in _h5io.FUNCTIONS.items()
        }
        functions["process"] = _h5io.FUNCTIONS["process"](self._process)
        functions["get_error_code"] = _h5io.FUNCTIONS["get_error_code"](self._get_error_code)
        name = f"{getattr(self.function, '__module__', '')}.{getattr(self.function, '__qualname__', self.function)}"
        return _h5io.Table(
            c.sizeof(_h5io.Table), _h5io.ABI, _h5io.ANY, 0, name.encode(), version.encode(), *functions.values()
        )

    def _guarded(self, answer: Callable[..., None]) -> Callable[..., int]:
        def asked(context: Any, *arguments: Any) -> int:
            try:
                answer(*arguments)
            except BaseException as error:
                return self._failed(error)
            return 0

        return asked

    def _failed(self, error: BaseException) -> int:
        """Before the first slice."""
        self.error = self.error or error
        self._texts[threading.get_ident()] = c.create_string_buffer(f"{type(error).__name__}: {error}".encode())
        return _h5io.FAILED

    def _h5io_init(self, param: Any, n_inputs: Any, n_outputs: Any) -> None:
        n_inputs[0], n_outputs[0] = len(self._inputs), len(self._outputs)

    def _request_input(self, index: int, location: Any) -> None:
        location[0] = self._inputs[index][0]

    def _set_input_slice(self, index: int, space: Any, slicing_map: Any) -> None:
        name, _, map_ = self._inputs[index]
        if len(map_) > space[0].rank:
            raise ArgumentError(f"{name.decode()} has {space[0].rank} axes, its slicing map {len(map_)}")
        for axis, number in enumerate(map_):
            slicing_map[axis] = number

    def _request_output(self, index: int, location: Any, space: Any) -> None:
        name, dtype, shape = self._outputs[index]
        location[0] = name
        space[0].type, space[0].rank = _h5io.type_of(dtype), len(shape)
        for axis, n in enumerate(shape):
            space[0].shape[axis] = n

    def _processing_complete(self) -> None:
        pass

    def _set_padding(self, index: int, before: Any, after: Any) -> None:
        has_fastest = self._n_axes in self._inputs[index][2]
        before[0], after[0] = self._padding if has_fastest else (0, 0)

    def _set_block(self, most: Any) -> None:
        most[0] = self._block

    def _get_error_code(self, context: Any, code: int) -> int | None:
        text = self._texts.get(threading.get_ident())
        return None if text is None else c.addressof(text)

    def _process(self, context: Any, number: int, n_inputs: int, inputs: Any, n_outputs: int, outputs: Any) -> int:
        me = threading.get_ident()
        try:
            try:
                with self._lock:
                    if self._is_over:
                        return _h5io.STOP
                    self._active.add(me)
                return self._call(inputs[:n_inputs], outputs[:n_outputs])
            finally:
                with self._lock:
                    self._active.discard(me)
        except BaseException as error:
            place = tuple(inputs[0].place[: self._n_axes])
            with self._lock:
                if self.failure is None or number < self.failure[0]:
                    self.failure = (number, place, error)
            self._texts[me] = c.create_string_buffer(f"{type(error).__name__}: {error}".encode())
            return _h5io.FAILED

    def _call(self, inputs: list[Any], outputs: list[Any]) -> int:
        memory = [space.memory() for space in inputs]

        def holders() -> list[int]:
            return [sys.getrefcount(each) for each in memory]

        before = holders()
        code = self._made(inputs, memory, outputs)
        if holders() != before:
            # A cycle may hold it that is garbage.
            gc.collect()
            if holders() != before:
                raise Error(
                    "the function keeps a slice, or a view of it, whose memory is used again: let it keep a copy"
                )
        return code

    def _made(self, inputs: list[Any], memory: list[Any], outputs: list[Any]) -> int:
        more = dict(self.arguments)
        if self.has_place:
            more["place"] = tuple(inputs[0].place[: self._n_axes])
        slices = []
        for space, each, (_, dtype, _) in zip(inputs, memory, self._inputs, strict=True):
            array = space.array(each, dtype)
            array.flags.writeable = False
            slices.append(array)
        found = self.function(*slices, **more)
        if isinstance(found, _Sign):
            return found.code
        self._put(found, outputs)
        return 0

    def _put(self, found: Any, outputs: list[Any]) -> None:
        """Copies what the function returned to the outputs."""
        values = (found,) if len(outputs) == 1 else () if not outputs else found
        if outputs and (not isinstance(values, (tuple, list)) or len(values) != len(outputs)):
            raise TypeError(f"a tuple of {len(outputs)} arrays is to be returned, not {type(found).__name__}")
        for value, space, (name, dtype, _) in zip(values, outputs, self._outputs, strict=True):
            array = space.array(space.memory(), dtype)
            value = np.asarray(value)
            if value.shape != array.shape:
                raise ValueError(f"{name.decode()} is to have the shape {array.shape}; returned was {value.shape}")
            _copy(array, value, name.decode())

    def interrupt(self) -> None:
        """Ends calls that are in Python code; others end when they are back in it."""
        raised = c.py_object(KeyboardInterrupt)
        with self._lock:
            self._is_over = True
            for thread in self._active:
                c.pythonapi.PyThreadState_SetAsyncExc(c.c_ulong(thread), raised)


def _copy(array: np.ndarray[Any, Any], value: np.ndarray[Any, Any], name: str) -> None:
    """As numpy casts within a kind, but that no integer becomes another one."""
    if array.dtype.kind in "iu" and value.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        if value.size and not (limits.min <= value.min() and value.max() <= limits.max):
            raise OverflowError(f"{name} is of {array.dtype}; returned were {value.min()} to {value.max()}")
        np.copyto(array, value, casting="unsafe")
    else:
        np.copyto(array, value, casting="same_kind")


def _inputs(path: Any, inputs: Any) -> list[tuple[bytes, np.dtype[Any], tuple[int, ...]]]:
    """Path, type and map of each, as h5py sees the file."""
    import h5py

    pairs = list(inputs.items() if isinstance(inputs, Mapping) else inputs)
    if not pairs:
        raise ArgumentError("give at least one input, with its slicing map, such as {'/entry/data/data': (1, 0, 0)}")
    found = []
    with h5py.File(path, "r") as file:
        for name, map_ in pairs:
            dataset = file.get(name)
            if not isinstance(dataset, h5py.Dataset):
                raise ArgumentError(f"{os.fspath(path)} has no dataset {name}")
            numbers = tuple(_integer(axis, "an entry of a slicing map", 0, _h5io.MAX_RANK) for axis in map_)
            found.append((name.encode(), _native_order(dataset.dtype), numbers))
    return found


def _native_order(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """As the host hands it in: numbers of C in the machine's byte order, anything else as in the file."""
    return dtype.newbyteorder("=") if _h5io.type_of(dtype) in _h5io.TYPES.values() else dtype


def _outputs(outputs: Any) -> list[tuple[bytes, np.dtype[Any], tuple[int, ...]]]:
    found = []
    for name, (kind, shape) in dict(outputs or {}).items():
        dtype = np.dtype(kind).newbyteorder("=")
        if _h5io.type_of(dtype) not in _h5io.TYPES.values():
            raise ArgumentError(f"{name}: an output has integers of 1 to 8 bytes, float32 or float64, not {dtype}")
        numbers = tuple(_integer(n, "an entry of a shape", -_h5io.MAX_RANK, 1 << 62) for n in shape)
        found.append((name.encode(), dtype, numbers))
    return found
