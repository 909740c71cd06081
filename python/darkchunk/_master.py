"""One dataset of the files of a measurement."""

from __future__ import annotations

import ctypes as c
import os
from collections.abc import Iterable

from . import _hosted, _native

_ROOM = 1 << 16


def make_master(path: str | os.PathLike[str], parts: Iterable[str | os.PathLike[str]] | None = None) -> list[str]:
    """Makes the file `path`, which shows the files of a measurement as one dataset of frames, with their metadata.

    `parts`: the files, each recorded with a `share`; None: those beside `path` of its name, `run_000000.h5` and so on
    for `run.h5`. The datasets are virtual, of fixed extents, with relative names, so that the folder can be moved as a
    whole. A file that is there is replaced; call it again when a part was restored, or has come.

    Returns what is in no part, and which parts are not finished, a line each: HDF5 reads that as the fill value, and
    `frame_status` is 0 there.
    """
    names = None if parts is None else [os.fspath(part).encode() for part in parts]
    given = None if names is None else (c.c_char_p * len(names))(*names)
    missing, n_missing = c.create_string_buffer(_ROOM), c.c_size_t()
    with _hosted.lock():
        _native.call(
            "dc_master_make",
            _hosted.table(),
            os.fspath(path).encode(),
            given,
            0 if names is None else len(names),
            missing,
            len(missing),
            n_missing,
        )
    return [line for line in missing.value.decode(errors="replace").split("\n") if line]
