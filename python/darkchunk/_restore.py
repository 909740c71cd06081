"""What a recording that was killed has left, made a file again."""

from __future__ import annotations

import ctypes as c
import os
from typing import NamedTuple

from . import _hosted, _native

_ROOM = 1 << 16


class Restored(NamedTuple):
    """What came back of a file."""

    n_chunks: int  #: chunks of frames that are in the new file
    n_lost_chunks: int  #: chunks that were noted, and that HDF5 had not written
    n_rows: int  #: rows of metadata that are in the new file
    n_lost_rows: int  #: rows whose frames were lost: marked so in `frame_status`
    n_unread_bytes: int  #: bytes at the journal's end that are no whole record
    n_copied: int  #: other objects of the file that were copied
    lost: list[str]  #: what else the file had and could not be copied, and why


def restore(path: str | os.PathLike[str], to: str | os.PathLike[str] | None = None) -> Restored:
    """Makes a file of what a killed recording has left: `path`, and the journal beside it, `path` + ".journal".

    Every frame whose chunk was written is in the new file, with its metadata, also where `path` does not open; and what
    else `path` has, where it opens. `to`: the new file, which must not be there. None: it gets the name `path`, and
    what was left is kept as `path` + ".left", with its journal. The file must not be open.
    """
    found = _native.Restored(size=c.sizeof(_native.Restored))
    lost = c.create_string_buffer(_ROOM)
    name = None if to is None else os.fspath(to).encode()
    with _hosted.lock():
        _native.call("dc_journal_restore", _hosted.table(), os.fspath(path).encode(), name, found, lost, len(lost))
    numbers = (getattr(found, field[0]) for field in _native.Restored._fields_[1:-1])
    lines = [line for line in lost.value.decode(errors="replace").split("\n") if line]
    return Restored._make([*numbers, lines])
