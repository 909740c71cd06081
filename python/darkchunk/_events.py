"""Records of which a frame has any number: hits, peaks, photons, as an NXevent_data in h5py's file."""

from __future__ import annotations

import ctypes as c
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _hosted, _native
from ._chunks import _parts
from ._columns import Columns
from ._ending import Ending
from ._errors import UnsupportedError
from ._filters import Bitshuffle, _integer
from ._writer import _name, _opened


class Events(Ending):
    """Writes, for each frame, any number of records into a new group: a value for each column and record.

    The group has a dataset of values for each column, compressed, and for each frame `event_index`, its first record,
    `event_count`, how many there are, and `frame_status`, 1 where it was given.

        with darkchunk.Events("run.h5", "/entry/hits", {"x": "u2", "y": "u2", "energy": ("f4", 0, "keV")}) as events:
            for number, hits in detector:
                events.push(number, x=hits.x, y=hits.y, energy=hits.energy)

    Frames may come in any order, each once. What was not flushed is lost with the process: there is no journal. Close
    it before the file.
    """

    def __init__(self, at: Any, name: str, columns: Mapping[str, Any], filter: Any = None) -> None:
        """Makes the group.

        `at`: a file or group of h5py, or the path of a new file. `columns`: a dtype or (dtype, n) for each name, with a
        third element for its unit. `filter`: None for bitshuffle-LZ4, False for none; not DRLE.
        """
        made = Columns(columns)
        self._columns = {column: self._type(what) for column, what in columns.items()}
        number, values = (0, ()) if filter is False else _parts(Bitshuffle() if filter is None else filter)
        stored = (c.c_uint32 * len(values))(*values)
        where = _opened(at, "x")
        self._own_file = None if where is at else where
        handle = c.c_void_p()
        try:
            with _hosted.lock():
                _native.call(
                    "dc_events_create",
                    _hosted.table(),
                    where.id.id,
                    _name(name),
                    made.structs,
                    len(made.structs),
                    number,
                    stored,
                    len(stored),
                    c.byref(handle),
                )
        except BaseException:
            if self._own_file is not None:
                self._own_file.close()
            raise
        self._handle: c.c_void_p | None = handle
        self._free = weakref.finalize(self, _free, handle)

    @staticmethod
    def _type(what: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
        dtype, n = (*what, 0)[:2] if isinstance(what, tuple) else (what, 0)
        return np.dtype(dtype), (n,) if n else ()

    def _call(self, name: str, *arguments: Any) -> None:
        with _hosted.lock():
            if self._handle is None:
                raise UnsupportedError("the events are closed")
            _native.call(name, self._handle, *arguments)

    def push(self, frame: int, **values: ArrayLike) -> None:
        """Takes the records of a frame: an array for each column, all equally long; they are copied.

        `Hdf5Error`: they were taken, and what is not written is held. Any other error: they were not.
        """
        if set(values) != set(self._columns):
            missing, unknown = set(self._columns) - set(values), set(values) - set(self._columns)
            raise TypeError(f"records: {sorted(missing)} are missing, {sorted(unknown)} are no columns")
        arrays = [self._array(name, values[name]) for name in self._columns]
        lengths = {len(array) for array in arrays}
        if len(lengths) > 1:
            raise ValueError(f"records: the columns have {sorted(lengths)} values: give as many of each")
        pointers = (c.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
        self._call("dc_events_push", _integer(frame, "frame", 0, (1 << 64) - 1), pointers, lengths.pop())

    def _array(self, name: str, values: ArrayLike) -> NDArray[Any]:
        dtype, row = self._columns[name]
        given = np.asarray(values)
        if given.size and given.dtype.kind not in ("iu" if dtype.kind in "iu" else "iuf"):
            raise TypeError(f"{name}: values of {given.dtype} are given, the column is of {dtype}")
        array = np.ascontiguousarray(given, dtype)
        if given.size and dtype.kind in "iu" and (array != given).any():
            raise ValueError(f"{name}: a value does not fit into {dtype}")
        if not given.size:
            array = array.reshape(0, *row)
        if array.ndim != 1 + len(row) or array.shape[1:] != row:
            raise ValueError(f"{name}: values have shape {array.shape}, a record {row}")
        return array

    def flush(self, n_frames: int = 0) -> None:
        """Writes all that is held, has the index for at least `n_frames` frames, and flushes the file."""
        self._call("dc_events_flush", _integer(n_frames, "n_frames", 0, 1 << 48))

    def close(self) -> None:
        """Writes everything and ends; closes the file if it was opened here. May be called again."""
        if self._handle is not None:
            self.flush()
            self._end()

    def _end(self) -> None:
        with _hosted.lock():
            self._handle = None
            self._free()
        if self._own_file is not None:
            self._own_file.close()


def _free(handle: c.c_void_p) -> None:
    with _hosted.lock():
        _native.library().dc_events_free(handle)
