"""The recorder: frames from numpy by their number, encoded in threads, into a dataset of h5py's own HDF5."""

from __future__ import annotations

import contextlib
import ctypes as c
import itertools
import json
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _hosted, _native
from ._chunks import _parts
from ._columns import Columns
from ._ending import Ending
from ._errors import Error, NotStoredError, UnsupportedError
from ._filters import _UINT32, Bitshuffle, _integer
from ._writer import _element, _frame_shape, _made, _name, _seconds

_POLICIES = {"block": 0, "drop": 1}
_PUSHED = ("taken", "dropped", "duplicate", "late", "out of range")
# With one of the first two the number counts as used.
_ACCEPTED = 2
_ENCODED = {"chunk": 1, "stream": 2}
_ROOM = 64


def _spread(spread: Mapping[str, Any]) -> _native.Spread:
    if set(spread) not in ({"frames"}, {"bytes"}, {"files", "frames"}, {"files", "frames", "own"}):
        raise ValueError(
            f"spread is {spread!r}: give 'frames', or 'bytes', or 'files' and 'frames', perhaps with 'own'"
        )
    of = {name: _integer(spread.get(name, 0), name, 0, 1 << 62) for name in ("frames", "bytes", "files")}
    first, end = (_integer(n, "own", 0, 1 << 62) for n in spread.get("own", (0, of["files"])))
    return _native.Spread(
        size=c.sizeof(_native.Spread),
        frames=of["frames"],
        bytes=of["bytes"],
        n_files=of["files"],
        first_own=first,
        n_own=max(end - first, 0),
    )


def _beside(index: bool | str | os.PathLike[str], file: str | os.PathLike[str]) -> bytes | None:
    """The name of an index of blocks: the one that is given, or beside `file`."""
    if index is False:
        return None
    return os.fsencode(f"{os.fspath(file)}.index" if index is True else index)


class Statistics(NamedTuple):
    """What a recorder has done.

    Every frame that was pushed is in exactly one of `n_stored`, `n_vetoed`, `n_refused`, `n_held`, `n_lost`,
    `n_dropped`, `n_late`, `n_duplicate` and `n_out_of_range`; `n_received` is their sum.
    """

    n_received: int  #: frames that were pushed
    n_stored: int  #: frames in the file
    n_vetoed: int  #: frames that the veto kept out
    n_refused: int  #: frames that cannot be encoded
    n_held: int  #: frames that were taken and are not in the file yet
    n_lost: int  #: frames that were taken, and that a full disk did not take before the recording was abandoned
    n_dropped: int  #: frames for which there was no memory
    n_late: int  #: frames that came after their chunk was closed
    n_duplicate: int  #: frames with a number that had come already
    n_out_of_range: int  #: frames with a number before the first, or too far after the newest
    n_missing: int  #: numbers up to the newest that have not come
    n_flushed: int  #: frames that a crash of the process cannot lose any more
    n_queued: int  #: chunks that wait for a worker or are with one
    bytes_received: int  #: bytes of the frames that were pushed
    bytes_stored: int  #: bytes of the chunks that were written
    bytes_held: int  #: bytes of memory that frames and encoded chunks take
    seconds_behind: float  #: how long the oldest frame has been held
    bytes_decoded: int  #: bytes of the pixels of the frames in the file, as a program reads them
    seconds: float  #: from the first frame that was pushed to the last
    gb_per_s: float  #: 1e9 bytes pushed a second, of the last one or two seconds; in all: bytes_received / seconds
    codec_ratio: float  #: bytes_decoded / bytes_stored: of the frames that are stored; 0 before the first chunk
    ratio: float  #: bytes_received / bytes_stored: of all that was pushed, vetoed and dropped frames among it


class Preview(NamedTuple):
    """What a threshold makes of frames."""

    threshold: int  #: the smallest value that is kept
    n_frames: int  #: frames that were looked at
    bright: float  #: share of the pixels that are kept
    ratio: float  #: bytes of a frame for each byte stored
    frames_per_s: float  #: how many frames one thread encodes


class Recorder(Ending):
    """Records frames by their number, in any order, into a new dataset (frames, height, width).

    Threads subtract the dark image, apply the threshold, sum up and encode; the pushing thread calls HDF5. The index
    of a frame is its number less `first_number`; numbers that never come stay the fill value. Beside the dataset, in
    the group of its name with `_darkchunk` appended, are dark image, sum, counts, the metadata, and `frame_status`: 0
    missing, 1 written, 2 vetoed, 3 dropped, 4 refused, 6 lost.

        columns = {"time": "f8", "motors": ("f4", 2)}
        filter = darkchunk.DRLE(20)
        with darkchunk.Recorder("run.h5", "/data", (1024, 1024), "int16", filter, columns=columns) as recorder:
            for number, frame in camera:
                recorder.push(frame, number, time=now(), motors=(x, y))

    A frame is used where it is, and must not change until it is released: with `keep_released`, `released()` tells;
    with `copy=True` it is free at once. One thread pushes; any may ask for `statistics`, `fault` and `released()`.
    Close it before the file.
    """

    def __init__(
        self,
        at: Any,
        name: str,
        shape: Sequence[int],
        dtype: DTypeLike,
        filter: Any = None,
        *,
        frames_per_chunk: int = 1,
        dark: NDArray[Any] | None = None,
        threshold: int = 0,
        sum: bool = True,
        nexus: bool = False,
        columns: Mapping[str, Any] | None = None,
        least: Mapping[str, int] | None = None,
        workers: int | None = None,
        max_bytes: int = 512 << 20,
        policy: str = "block",
        first_number: int = 0,
        reorder: int = 64,
        max_gap: int = 100_000,
        flush_frames: int = 0,
        flush_seconds: float | None = 1.0,
        journal: bool = True,
        reserve_bytes: int = 8 << 20,
        index: bool | str | os.PathLike[str] = False,
        swmr: bool = False,
        classes: tuple[str, int] | None = None,
        maximum: bool = False,
        in_place: bool = False,
        share: tuple[int, int, int] | None = None,
        spread: Mapping[str, Any] | None = None,
        keep_released: bool = False,
        rows_per_chunk: int | None = None,
    ) -> None:
        """Makes the dataset.

        Up to `nexus` the arguments are those of `Writer`; of frames of 8 or 32 bits no sum is kept.
        `columns`: the metadata of each frame, a dtype or (dtype, n)
        for each name, with a third element for its unit. `least`: only frames are stored that have at least so much of
        "sum", "n_bright" and "maximum". `workers`: threads that encode; None for all cores but one, 0 for none.
        `max_bytes`: the most memory that frames and encoded chunks take; `policy`: "block" waits where that is not
        enough, "drop" does not take the frame. `reorder`: with several frames a chunk, a chunk is closed when a frame
        so far after its end has come; at most 522,240. `max_gap`: a frame that is farther than this after the newest is
        out of range; at most 1,044,480. `keep_released`: released frames are kept until `released()` is asked for them,
        which is to be done then. `journal`: whether a journal is written beside the file, from which
        `darkchunk.restore` makes it anew after a crash. `reserve_bytes`: so much of the disk is kept beside the file,
        and given back when the disk is full, so that all that is stored is flushed; the error says how many frames that
        is. `index`: the name of a file that is to have where the blocks of the chunks are, of bitshuffle with a
        compression and of LZ4, for `darkchunk.open(..., index=name)`; True for the name of the file with ".index"
        appended. It is there when the recording is finished; where it cannot be written the recording goes on without
        it, and `fault` says why. `swmr`: others may read the file while it is written, with
        `darkchunk.open(path, swmr=True)` or h5py's, all that is flushed, also after a crash, when it opens in no other
        way, and with h5py's HDF5 may wait for ever for a block that is half written; a file of
        one's own is to be made with `libver=("v110", "v110")`, and nothing else may write to it, nor have an attribute
        of it open.
        `classes`: a column of one integer and how many classes there are; frames of its values 0, 1, ... are also
        summed apart, for `live_sum`. `maximum`: the greatest value of each pixel is kept, for `live_maximum`; with
        other filters than DRLE each chunk is decoded again for it. `in_place`: the memory of a frame that is pushed
        without `copy` is overwritten with what is stored before it is released, dark image subtracted and threshold
        applied; frames are contiguous and writable then, and an
        array is pushed again only when it is released. `share`: the file is a part of a measurement, see
        `make_master`, and has the frames of these indices: (first, frames, every), from `first` on `frames` in a row
        (0: all that follow), and so again each `every` (0: not again); others are out of range. Receiver k of n that
        get a frame in turn has (k, 1, n). `spread`: `at` is the path of a master, "run.h5", that is made at the end of
        the files run_000000.h5 and so on, each a part: {"frames": n} or, about, {"bytes": n} to each, or {"files": n,
        "frames": m}, m frames to each of n in turn, of which this recorder has those of "own": (first, end), all unless
        told otherwise. `complete()` says which files may be moved. There is no live view, and only the pushing thread
        asks for `statistics` and `fault`. `rows_per_chunk`: a chunk has so many rows of its frames, None for all; 16
        rows of 16 frames (`frames_per_chunk=16`) let a sinogram be read without the rest of the frames. `max_bytes`
        must be enough for a little more than `workers` + 4 times the frames of a chunk, whole; not with `DRLE`, nor
        with `push_encoded`.
        """
        height, width = _frame_shape(shape)
        self._dtype, element = _element(dtype)
        self._shape = (height, width)
        number, values = _parts(Bitshuffle() if filter is None else filter)
        stored = (c.c_uint32 * len(values))(*values)
        chunk = _native.Chunk(
            size=c.sizeof(_native.Chunk),
            element=element,
            filter=number,
            values=c.cast(stored, c.POINTER(c.c_uint32)),
            n_values=len(values),
            n_frames=_integer(frames_per_chunk, "frames_per_chunk", 1, _UINT32 - 1),
            height=height,
            width=width,
        )
        image = None if dark is None else np.ascontiguousarray(self._checked(dark, "dark"))
        with_ = _native.Processing(
            size=c.sizeof(_native.Processing),
            dark=None if image is None else image.ctypes.data,
            threshold=_integer(threshold, "threshold", 0, 32767),
            no_sum=not sum,
            flush_frames=_integer(flush_frames, "flush_frames", 0, 1 << 62),
            flush_seconds=_seconds(flush_seconds),
        )
        self._columns = Columns({} if columns is None else columns)
        first_number = _integer(first_number, "first_number", 0, 1 << 62)
        if policy not in _POLICIES:
            raise ValueError(f"policy is {policy!r}: give 'block' or 'drop'")
        options = _native.RecorderOptions(
            size=c.sizeof(_native.RecorderOptions),
            n_workers=c.c_size_t(-1).value if workers is None else _integer(workers, "workers", 0, 1024),
            max_bytes=_integer(max_bytes, "max_bytes", 1, 1 << 62),
            policy=_POLICIES[policy],
            has_least=least is not None,
            least=_measures({} if least is None else least),
            first_number=first_number,
            reorder=_integer(reorder, "reorder", 0, 1 << 62),
            max_gap=_integer(max_gap, "max_gap", 0, 1 << 62),
            columns=self._columns.structs,
            n_columns=len(self._columns.structs),
            no_journal=not journal,
            reserve_bytes=_integer(reserve_bytes, "reserve_bytes", 0, 1 << 62),
            swmr=bool(swmr),
            class_column=None if classes is None else _name(classes[0]),
            n_classes=0 if classes is None else _integer(classes[1], "classes", 1, 64),
            maximum=bool(maximum),
            in_place=bool(in_place),
            is_part=share is not None,
            share=_native.Share(*(_integer(n, "share", 0, 1 << 62) for n in share or (0, 0, 0))),
            rows_per_chunk=0 if rows_per_chunk is None else _integer(rows_per_chunk, "rows_per_chunk", 1, _UINT32 - 1),
        )
        # By its token: a frame as it was given, and as the library has it.
        self._lent: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
        self._in_place = bool(in_place)
        self._keep_released, self._free_frames = keep_released, list[NDArray[Any]]()
        # Held where the recorder is asked, and where it ends; not h5py's lock, which a push holds while it waits. Who
        # holds this may take h5py's lock, never the other way.
        self._asking = threading.Lock()
        # Held where the recording is looked at, which may take seconds; before the other two.
        self._viewing = threading.Lock()
        self._tokens = itertools.count(1)
        self._next = first_number
        self._buffers, self._n_buffers, self._pushed = (c.c_void_p * _ROOM)(), c.c_size_t(), c.c_int()
        self._own_file = None
        handle = c.c_void_p()
        what = _name(name), chunk, bool(nexus), with_, options, c.byref(handle)
        if spread is not None:
            if not isinstance(at, (str, os.PathLike)):
                raise TypeError(
                    f"with spread give the path of the master, not {type(at).__name__}: files are made beside it"
                )
            if not isinstance(index, bool):
                raise ValueError("each file has an index of its own, beside it: give index=True")
            options.index = _beside(index, at)
            where, files = os.fspath(at).encode(), _spread(spread)
            with _hosted.lock():
                _native.call("dc_recorder_create_files", _hosted.table(), where, files, *what)
        else:
            self._create(at, swmr, index, options, what)
        self._handle: c.c_void_p | None = handle
        self._last: Statistics | None = None
        self._last_fault = ""
        self._free = weakref.finalize(self, _free, handle, self._lent)

    def _create(
        self,
        at: Any,
        swmr: bool,
        index: bool | str | os.PathLike[str],
        options: _native.RecorderOptions,
        what: tuple[Any, ...],
    ) -> None:
        with _made(at, ("v110", "v110") if swmr else None) as where:
            options.index = _beside(index, where.file.filename)
            with _hosted.lock():
                _native.call("dc_recorder_create", _hosted.table(), where.id.id, *what)
        self._own_file = None if where is at else where

    def _checked(self, pixels: Any, what: str) -> NDArray[Any]:
        if not isinstance(pixels, np.ndarray):
            raise TypeError(f"{what} is a numpy array, not {type(pixels).__name__}")
        if pixels.dtype != self._dtype:
            raise TypeError(f"{what} is of {pixels.dtype}, the dataset of {self._dtype}")
        if pixels.shape != self._shape:
            raise ValueError(f"{what} has shape {pixels.shape}, a frame {self._shape}")
        return pixels

    def _call(self, name: str, *arguments: Any) -> None:
        with _hosted.lock():
            if self._handle is None:
                raise UnsupportedError("the recorder is closed")
            _native.call(name, self._handle, *arguments)

    def push(self, frame: NDArray[Any], number: int | None = None, *, copy: bool = False, **metadata: Any) -> str:
        """Takes a frame (height, width), its number, and a value for each column, or none.

        Without a number it is the one after the frame before it, or after the last that was taken or dropped: a number
        that is given and not accepted does not count.

        Returns "taken", "dropped", "duplicate", "late" or "out of range"; all of these are counted. `NotStoredError`:
        it was taken, and is held; go on with the next. Any other error: it was not; after a `NotTakenError` push it
        again. A frame that is not contiguous is copied.
        """
        return self._push(self._frame(frame, copy), number, self._columns.packed(metadata), copy)

    def _frame(self, frame: Any, copy: bool = False) -> NDArray[Any]:
        checked = self._checked(frame, "frame")
        if self._in_place and not copy and not (checked.flags.c_contiguous and checked.flags.writeable):
            raise ValueError("a frame that is to be overwritten is contiguous and writable: give such an array")
        return checked

    def _push(self, frame: NDArray[Any], number: int | None, row: bytes | None, copy: bool = False) -> str:
        pixels, index = np.ascontiguousarray(frame), self._index(number)
        try:
            if copy:
                self._call("dc_recorder_push_copy", index, pixels.ctypes.data, row, self._pushed)
            else:
                self._lend(frame, pixels, "dc_recorder_push", (index, pixels.ctypes.data), row)
        except NotStoredError:
            self._next = index + 1
            raise
        return self._became(number, index)

    def _index(self, number: int | None) -> int:
        return _number(self._next if number is None else number)

    def _became(self, number: int | None, index: int) -> str:
        """What became of a frame that had `number`, and was pushed as `index`."""
        if number is None or self._pushed.value < _ACCEPTED:
            self._next = index + 1
        return _PUSHED[self._pushed.value]

    def _lend(
        self, frame: NDArray[Any], pixels: NDArray[Any], name: str, data: tuple[int, ...], row: bytes | None
    ) -> None:
        if len(self._lent) >= _ROOM // 2:
            self._collect()
        token = next(self._tokens)
        self._lent[token] = frame, pixels
        try:
            self._call(name, *data, token, row, self._pushed)
        except NotStoredError:
            raise
        except Error:
            # Only these say that the library does not have it: an interrupt may come when it has.
            del self._lent[token]
            raise

    def push_encoded(self, data: Any, number: int | None = None, *, kind: str = "chunk", **metadata: Any) -> str:
        """Takes a frame that is encoded already, as bytes, and writes it as it is.

        `kind`: "chunk", what the dataset's filter makes, such as a detector's bitshuffle-LZ4; or "stream", a DRLE
        stream of one frame. It is looked at first, and the first one and each n-th (`check_every`) are decoded; one
        that is not what it should be is refused, marked and counted, and `fault` says why. Its memory must not change
        until it is released, as with `push`. The recorder has one frame a chunk, `sum=False`, and neither dark image,
        threshold nor `least`.
        """
        if kind not in _ENCODED:
            raise ValueError(f"kind is {kind!r}: give 'chunk' or 'stream'")
        index = self._index(number)
        view = np.frombuffer(data, np.uint8)
        lent = index, _ENCODED[kind], view.ctypes.data, view.size
        row = self._columns.packed(metadata)
        try:
            self._lend(view, view, "dc_recorder_push_encoded", lent, row)
        except NotStoredError:
            self._next = index + 1
            raise
        return self._became(number, index)

    def push_pixels(self, places: Any, values: Any, number: int | None = None, **metadata: Any) -> str:
        """Takes a frame given as its pixels that are not 0: their places, row by row, and their values.

        Nothing is lent. The later value of two at the same place counts.
        """
        index = self._index(number)
        at = np.ascontiguousarray(_whole(places), np.uint32)
        of = np.ascontiguousarray(values)
        if of.dtype != self._dtype:
            raise TypeError(f"values are of {of.dtype}, the dataset of {self._dtype}")
        if at.shape != of.shape or at.ndim != 1:
            raise ValueError(f"places have shape {at.shape}, values {of.shape}: give a value for each place")
        row = self._columns.packed(metadata)
        data = at.ctypes.data, of.ctypes.data, at.size
        try:
            self._call("dc_recorder_push_pixels", index, *data, row, self._pushed)
        except NotStoredError:
            self._next = index + 1
            raise
        return self._became(number, index)

    def check_every(self, n_frames: int) -> None:
        """Of how many encoded frames one is decoded, 100 unless told otherwise; 0: the first only."""
        self._call("dc_recorder_check_every", _integer(n_frames, "n_frames", 0, 1 << 62))

    def set_threshold(self, threshold: int) -> int:
        """Keeps pixels from `threshold` on, in the chunks after all frames that have come.

        Returns the number of the first frame that this is of; one before it that comes later is stored as it would have
        been. The file says what was changed, in the group `changes` beside the frames, and each DRLE chunk its
        threshold. Make the dataset with the lowest that there will be: a copy through the filter applies that one.
        `UnsupportedError`: DRLE of mode "bare", of which a chunk does not say its threshold. Frames that are encoded
        already are refused afterwards.
        """
        number = c.c_uint64()
        self._call("dc_recorder_set_threshold", _integer(threshold, "threshold", 1, 32767), number)
        return number.value

    def set_dark(self, dark: NDArray[Any] | None) -> int:
        """Subtracts another dark image, or none, in the same way."""
        image = None if dark is None else np.ascontiguousarray(self._checked(dark, "dark"))
        number = c.c_uint64()
        self._call("dc_recorder_set_dark", None if image is None else image.ctypes.data, number)
        return number.value

    def push_many(self, frames: NDArray[Any], numbers: Sequence[int] | None = None, **metadata: Any) -> list[str]:
        """Takes several frames (n, height, width), with n numbers and n values for each column.

        `NotStoredError`: all were taken; go on with the next. Any other of darkchunk's errors: some were not; push
        `frames[len(error.pushed):]` again, with their numbers and values. `pushed` of either says what became of the
        frames. Where a frame, number or value is wrong none is taken.
        """
        given = [None] * len(frames) if numbers is None else [_number(number) for number in numbers]
        for what, values in {"numbers": given, **metadata}.items():
            if len(values) != len(frames):
                raise ValueError(f"{what}: {len(values)} are given for {len(frames)} frames")
        rows = zip(*metadata.values(), strict=True) if metadata else itertools.repeat((), len(frames))
        packed = [self._columns.packed(dict(zip(metadata, row, strict=True))) for row in rows]
        checked = [self._frame(frame) for frame in frames]
        return self._push_all(list(zip(checked, given, packed, strict=True)))

    def _push_all(self, frames: list[tuple[NDArray[Any], int | None, bytes | None]]) -> list[str]:
        pushed: list[str] = []
        held: NotStoredError | None = None
        for frame, number, row in frames:
            try:
                pushed.append(self._push(frame, number, row))
            except NotStoredError as error:
                held = error
                pushed.append("taken")
            except Error as error:
                error.pushed = pushed
                raise
        if held is not None:
            held.pushed = pushed
            raise held
        return pushed

    def _collect(self) -> None:
        """Lets go of the frames that were released, or keeps them for `released`."""
        free: list[NDArray[Any]] = []
        with self._asking:
            while self._handle is not None:
                _native.call("dc_recorder_released", self._handle, self._buffers, _ROOM, self._n_buffers)
                free += [self._lent.pop(int(token or 0))[0] for token in self._buffers[: self._n_buffers.value]]
                if self._n_buffers.value < _ROOM:
                    break
            if self._keep_released:
                self._free_frames += free

    def released(self) -> list[NDArray[Any]]:
        """The frames that may be written to again: those that were released since the last call. Of a recorder with
        `keep_released`. When it is closed all are free."""
        if not self._keep_released:
            raise UnsupportedError("released frames are not kept: make the recorder with keep_released=True")
        self._collect()
        with self._asking:
            free, self._free_frames = self._free_frames, []
        return free

    def complete(self) -> list[dict[str, Any]]:
        """The files that have become complete since the last call, and may be moved: path, bytes, frames, sha256.

        Of a recorder with `spread`, also when it has finished and is not closed. The same is in the file of the
        master's name with ".parts.jsonl" appended, a line of JSON each.
        """
        found: list[dict[str, Any]] = []
        line, is_there = c.create_string_buffer(1 << 13), c.c_int(1)
        while True:
            self._call("dc_recorder_complete", line, len(line), is_there)
            if not is_there.value:
                return found
            found.append(json.loads(line.value))

    def poll(self) -> None:
        """For times in which no frames come: stores what is encoded, and flushes the file if it is time to."""
        self._call("dc_recorder_poll")

    def flush(self, sync: bool = False) -> None:
        """Waits until all chunks that are full or closed are stored, and flushes the file.

        With `sync` to the disk, so that a power cut does not lose it. `NotStoredError`: call it again.
        """
        self._call("dc_recorder_flush", bool(sync))

    def finish(self) -> Statistics:
        """Stores all frames, the metadata, the counts and the sum. No frame can be pushed afterwards.

        `NotStoredError`: make room, and call it again, or `abandon`.
        """
        self._call("dc_recorder_finish")
        return self.statistics

    def abandon(self) -> Statistics:
        """Ends the recorder; where the disk does not take all, without the frames that are held.

        They are counted in `n_lost`, and marked 6 in `frame_status`; the sum is not stored then. `NotStoredError`: not
        even the counts could be stored.
        """
        self._call("dc_recorder_abandon")
        self._end(self.statistics)
        return self.statistics

    @property
    def statistics(self) -> Statistics:
        """What was done so far; of a closed recorder, in all."""
        found = _native.RecorderStatistics(size=c.sizeof(_native.RecorderStatistics))
        with self._asking:
            if self._last is not None:
                return self._last
            if self._handle is None:
                raise UnsupportedError("the recorder is closed")
            _native.call("dc_recorder_statistics_of", self._handle, found)
        return Statistics(*(getattr(found, field[0]) for field in _native.RecorderStatistics._fields_[1:]))

    @property
    def fault(self) -> str:
        """Why the last frame that was refused was, or why there is no index of blocks; "" for neither."""
        text = c.create_string_buffer(1000)
        with self._asking:
            if self._handle is None:
                return self._last_fault
            _native.call("dc_recorder_fault", self._handle, text, len(text))
        return text.value.decode(errors="replace")

    def _view(self, name: str, *arguments: Any) -> None:
        with self._viewing:
            if self._handle is None:
                raise UnsupportedError("the recorder is closed")
            _native.call(name, self._handle, *arguments)

    def live_sum(self, number: int | None = None) -> tuple[NDArray[np.int64], int]:
        """The exact sum of all frames that are encoded, as they are stored, and how many; or of one class. Of 16-bit
        frames.

        May be called by any thread while frames are pushed; so the next three. Divided by the number it is the mean.
        """
        total, n_frames = np.empty(self._shape, np.int64), c.c_uint64()
        index = c.c_size_t(-1).value if number is None else _integer(number, "class", 0, 63)
        self._view("dc_recorder_live_sum", index, total.ctypes.data, total.size, n_frames)
        return total, n_frames.value

    def live_maximum(self) -> tuple[NDArray[Any], int]:
        """The greatest value of each pixel in all frames that are encoded, as they are stored, and how many these
        are. Of a recorder with `maximum`."""
        greatest, n_frames = np.empty(self._shape, self._dtype), c.c_uint64()
        self._view("dc_recorder_live_maximum", greatest.ctypes.data, greatest.nbytes, n_frames)
        return greatest, n_frames.value

    def last_frame(self) -> tuple[int, NDArray[Any]] | None:
        """The greatest number of a frame that is encoded, and the frame as it is stored; None before the first."""
        frame, number, is_there = np.empty(self._shape, self._dtype), c.c_uint64(), c.c_int()
        self._view("dc_recorder_last_frame", frame.ctypes.data, frame.nbytes, number, is_there)
        return (number.value, frame) if is_there.value else None

    def preview(self, thresholds: Sequence[int], n_frames: int = 16, seconds: float = 5.0) -> list[Preview]:
        """What each threshold would make of the next `n_frames`; of fewer where they take longer than `seconds`."""
        checked = [_integer(threshold, "threshold", 1, 32767) for threshold in thresholds]
        given = np.ascontiguousarray(checked, np.uint16)
        found = (_native.Preview * len(given))()
        n_frames = _integer(n_frames, "n_frames", 1, 1 << 20)
        self._view("dc_recorder_preview", n_frames, given.ctypes.data, len(given), float(seconds), found)
        return [Preview(*(getattr(one, name) for name in Preview._fields)) for one in found]

    def close(self) -> None:
        """Finishes and ends the recorder; closes the file if the recorder has opened it. May be called again.

        Where `finish` fails its error is raised, and the recorder stays: make room and call it again, or `abandon`. At
        the end of a `with` block it is abandoned.
        """
        if self._handle is not None:
            self._end(self.finish())

    def _end(self, last: Statistics | None = None) -> None:
        if last is None:
            with contextlib.suppress(Error):
                self._call("dc_recorder_abandon")
            with contextlib.suppress(Error):
                last = self.statistics
        with contextlib.suppress(Error):
            self._last_fault = self.fault
        with self._viewing, self._asking, _hosted.lock():
            self._last = last or self._last
            self._handle = None
            self._free()
        if self._own_file is not None:
            self._own_file.close()


def _free(handle: c.c_void_p, lent: dict[int, tuple[NDArray[Any], NDArray[Any]]]) -> None:
    """Ends a recorder, and only then lets go of the frames that it had."""
    with _hosted.lock():
        _native.library().dc_recorder_free(handle)
    lent.clear()


def _measures(least: Mapping[str, int]) -> _native.Measures:
    unknown = set(least) - {"sum", "n_bright", "maximum"}
    if unknown:
        raise ValueError(f"least: {sorted(unknown)} is not measured: give sum, n_bright or maximum")
    return _native.Measures(
        sum=least.get("sum", -(1 << 63)), n_bright=least.get("n_bright", 0), maximum=least.get("maximum", 0)
    )


def _whole(places: Any) -> NDArray[Any]:
    """Places of pixels, none of which a smaller type would change."""
    at = np.asarray(places)
    if at.dtype.kind not in "iu" and at.size:
        raise TypeError(f"places are whole numbers, not {at.dtype}")
    if at.size and (at.min() < 0 or at.max() > _UINT32 - 1):
        raise ValueError("a place is not in the frame")
    return at


def _number(number: Any) -> int:
    """A frame's number as the library takes it."""
    return _integer(number, "number", 0, (1 << 64) - 1)
