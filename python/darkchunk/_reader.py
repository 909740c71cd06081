"""Datasets that are read by several threads: the file's bytes by `pread`, decoded by the library.

h5py's HDF5 says where the chunks are, and which parts of other datasets a virtual one is made of. What it alone can
read (compact and external data, other filters, virtual datasets with steps in a source or patterns of names, files that
this process writes to) it reads, one thread at a time; `Dataset.way` says which it is.
"""

from __future__ import annotations

import contextlib
import ctypes as c
import os
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _hosted, _index, _keys, _native, _statistics, _status
from ._errors import MissingError, UnsupportedError
from ._filters import _integer
from ._frames import Frames
from ._gate import Gate
from ._list import CLASSES

_MISSING = ("fill", "raise", "mask")
_WAYS = {1: "direct", 2: "hdf5", 3: "chunks"}
# A call into the library takes about so many seconds, so that Ctrl-C is seen.
_PIECE = 0.1
_MAX_THREADS = 256


class Dataset(Frames):
    """A dataset of an HDF5 file: `dataset[10:20]`, `dataset[3, ::2, 5]`, `dataset[[1, 5, 7]]`.

    What stands in brackets means what it means to h5py; steps may also go backwards, and a list's numbers be in any
    order and more than once. It differs from numpy where a number, a slice and a list follow each other: the list's
    axis stays in its place, so that `dataset[0, :, [1, 2]]` is two columns beside each other, and not two rows.

    Made by `darkchunk.open` or `darkchunk.from_h5py`. Several threads may read at the same time. It is pickled by path
    and name. Close it, or use it as a context manager; it is closed when it is forgotten.
    """

    def __init__(
        self, source: Any, threads: int | None, missing: str, own_file: Any, arguments: tuple[Any, ...]
    ) -> None:
        """`source`: an open dataset of h5py. `own_file`: the file's identifier, if it is to be closed. Use `open`."""
        if missing not in _MISSING:
            raise ValueError(f"missing is {missing!r}: give one of {', '.join(map(repr, _MISSING))}")
        n_threads = 0 if threads is None else _integer(threads, "threads", 1, _MAX_THREADS)
        self._source: Any = source
        self._missing, self._arguments = missing, arguments
        self._own_file, self._gate = own_file, Gate("dataset")
        self._handle = self._open(n_threads) if _is_plain(source) else None
        self._free = weakref.finalize(self, _free, self._handle, own_file)
        self._look()

    def _open(self, n_threads: int) -> c.c_void_p | None:
        """A `dc_reader`; None for a type that only h5py can read."""
        options = _native.ReaderOptions(
            size=c.sizeof(_native.ReaderOptions), n_threads=n_threads, missing=int(self._missing == "raise")
        )
        handle = c.c_void_p()
        try:
            with _hosted.lock():
                _native.call("dc_reader_open", _hosted.table(), self._source.id.id, options, handle)
        except UnsupportedError as error:
            self._why = str(error)
            return None
        return handle

    def _look(self) -> None:
        """Takes over what the reader knows of the dataset."""
        info, shape = _native.ReaderInfo(size=c.sizeof(_native.ReaderInfo)), self._source.shape
        if self._handle is not None:
            _native.call("dc_reader_info_of", self._handle, info)
            shape = tuple(info.shape[: info.rank])
        self._info, self._shape, self._dtype = info, shape, self._source.dtype

    @property
    def name(self) -> str:
        """Its path in the file."""
        return self._arguments[1]

    @property
    def path(self) -> str:
        """The file."""
        return self._arguments[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """In elements, slowest axis first; as of the last `refresh`."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The elements, in the file's byte order."""
        return self._dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self._shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self._dtype.itemsize

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """The shape of a chunk in elements; None without chunks."""
        return self._h5.chunks

    @property
    def filters(self) -> tuple[Any, ...]:
        """The filters in the order in which they were applied: objects of darkchunk's, else `(number, parameters)`, as
        for parameters of darkchunk's that its objects refuse."""
        dcpl = self._h5.id.get_create_plist()
        found = [dcpl.get_filter(index) for index in range(dcpl.get_nfilters())]
        classes = {known.filter_id: known for known in CLASSES}

        def known(number: int, values: tuple[int, ...]) -> Any:
            # A file may have parameters that an object cannot say.
            with contextlib.suppress(KeyError, ValueError):
                return classes[number]._from_filter_options(values)
            return number, tuple(values)

        return tuple(known(number, values) for number, _, values, _ in found)

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes, as h5py reads them."""
        return dict(self._h5.attrs)

    @property
    def stored_nbytes(self) -> int:
        """Bytes of the stored chunks, without HDF5's index."""
        return int(self._h5.id.get_storage_size())

    @property
    def way(self) -> str:
        """By which way it is read: "direct", from the file beside HDF5; "chunks", as HDF5 gives them, decoded in
        threads; or "hdf5", by h5py's HDF5, one thread at a time."""
        return "hdf5" if self._handle is None else _WAYS.get(self._info.way, "hdf5")

    @property
    def reason(self) -> str:
        """Why it is not read directly; "" where it is."""
        if self._handle is None:
            return getattr(self, "_why", "HDF5 converts the elements of this type")
        with self._gate.inside():
            return _native.library().dc_reader_reason(self._handle).decode(errors="replace")

    @property
    def statistics(self) -> _statistics.Statistics:
        """What it has done since it was opened."""
        with self._gate.inside():
            return _statistics.of(self._handle)

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("a dataset without axes has no length")
        return self._shape[0]

    def __repr__(self) -> str:
        state = self.way if self._gate.is_open else "closed"
        return f"<darkchunk.Dataset {self.name!r} of {self.path!r}: {self._dtype} {self._shape}, {state}>"

    def __getitem__(self, key: Any) -> Any:
        """The elements that are chosen: an array, or a number where numbers choose one element."""
        source = self._h5
        chosen = None if self._handle is None or not self._shape else _keys.selection(key, self._shape)
        if chosen is None:
            return self._by_h5py(source, key)
        out = np.empty(chosen.shape, self._dtype)
        self._fill(chosen, out)
        if self._missing == "mask":
            return np.ma.MaskedArray(out, self._mask(chosen))
        return out if chosen.shape or not all(chosen.dropped) else out[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All of it."""
        if copy is False:
            raise ValueError("what is in a file is always copied")
        found = np.asarray(self[...])
        return found if dtype is None else found.astype(dtype, copy=False)

    def read_into(self, out: NDArray[Any], sel: Any = ()) -> None:
        """Reads `self[sel]` into `out`, an array of its shape and dtype that may be written; it may have strides, in
        either direction (of a torch tensor give `tensor.numpy()`). On an error its content is unspecified."""
        source = self._h5
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out is a numpy array, not {type(out).__name__}")
        if out.dtype != self._dtype:
            raise TypeError(f"out is of {out.dtype}, the dataset of {self._dtype}")
        if not out.flags.writeable:
            raise ValueError("out may not be written")
        chosen = None if self._handle is None or not self._shape else _keys.selection(sel, self._shape)
        if chosen is None:
            found = np.asarray(self._by_h5py(source, sel))
            _check_shape(out, found.shape)
            out[...] = found
            return
        _check_shape(out, chosen.shape)
        self._fill(chosen, out)

    def iter_frames(
        self, start: int = 0, stop: int | None = None, step: int = 1, prefetch: int = 4, reuse: bool = False
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yields `(index, self[index])` for the indices of `slice(start, stop, step)`.

        While the caller works on some frames the next `prefetch` are read and decoded. `reuse`: the frames lie in
        memory that later ones overwrite, so each is to be used before the next is asked for.
        """
        source = self._h5
        prefetch = _integer(prefetch, "prefetch", 1, 1 << 20)
        if not self._shape:
            raise TypeError("a dataset without axes has no frames")
        indices = range(*slice(start, stop, step).indices(self._shape[0]))
        return self._frames(source, indices, prefetch, reuse)

    def _frames(self, source: Any, indices: range, prefetch: int, reuse: bool) -> Iterator[tuple[int, NDArray[Any]]]:
        batches = [indices[at : at + prefetch] for at in range(0, len(indices), prefetch)]
        # A refresh may change the shape meanwhile; the memory has this one.
        shape = self._shape
        kept = [np.empty((prefetch, *shape[1:]), self._dtype) for _ in range(2 if reuse else 0)]
        is_over = threading.Event()

        def read(number: int) -> NDArray[Any]:
            batch = batches[number]
            out = kept[number % 2][: len(batch)] if reuse else np.empty((len(batch), *shape[1:]), self._dtype)
            self._read_batch(source, batch, shape, out, is_over)
            return out

        worker = ThreadPoolExecutor(1, "darkchunk")
        try:
            ahead: Future[NDArray[Any]] | None = worker.submit(read, 0) if batches else None
            for number, batch in enumerate(batches):
                frames = ahead.result() if ahead else None
                ahead = worker.submit(read, number + 1) if number + 1 < len(batches) else None
                for place, index in enumerate(batch):
                    yield index, frames[place]  # type: ignore[index]
        finally:
            is_over.set()
            # Not waited for: a thread that forgets the iterator may hold what the worker waits for.
            worker.shutdown(wait=False, cancel_futures=True)

    def _read_batch(
        self, source: Any, batch: range, shape: tuple[int, ...], out: NDArray[Any], is_over: threading.Event
    ) -> None:
        if self._handle is None:
            for place, index in enumerate(batch):
                if is_over.is_set():
                    return
                out[place] = source[index]
            return
        first = (
            slice(batch[0], batch[-1] + 1, batch.step)
            if batch.step > 0
            else slice(batch[-1], batch[0] + 1, -batch.step)
        )
        chosen = _keys.selection(first, shape)
        assert chosen is not None
        self._fill(chosen, out if batch.step > 0 else out[::-1], is_over)

    def refresh(self) -> tuple[int, ...]:
        """Looks for what a writer has added since; the new shape. It waits for reads that have begun, and reads that
        begin wait for it. An iterator goes on with the indices that it began with. An `UnsupportedError` where this
        process has the dataset open a second time, through h5py or as another `Dataset`: HDF5 breaks it then. After
        an `Hdf5Error` open it anew."""
        with self._gate.exclusive(), _hosted.lock():
            source = self._source
            if not source:
                raise UnsupportedError(
                    "HDF5 has closed the dataset, with its file or as a refresh failed: open it anew"
                )
            if self._handle is None:
                _status.check_alone(source)
                source.id.refresh()
            else:
                with _one_reference(source.id):
                    _native.call("dc_reader_refresh", self._handle)
            # h5py keeps the shape of a file that is open for reading.
            self._source = type(source)(source.id)
            self._look()
            return self._shape

    def write_index(self, path: str | os.PathLike[str]) -> None:
        """Walks all chunks once and writes to a new file where their blocks are, for `darkchunk.open(index=path)`: of
        bitshuffle with a compression, and of LZ4; those of other filters need none, or have none."""
        _index.write(self._readable(), self._gate, path)

    def load_index(self, path: str | os.PathLike[str]) -> int:
        """Uses such a file, and returns of how many chunks it says something. What the file says is compared with each
        chunk and each block: one that was written anew since is read as without it."""
        handle = self._readable()
        with self._gate.inside():
            return _index.load(handle, path)

    def _readable(self) -> c.c_void_p:
        if self._handle is None:
            raise UnsupportedError(f"there is no index of what h5py reads: {self.reason}")
        return self._handle

    def close(self) -> None:
        """Ends it, and closes the file if `open` has opened it. May be called again."""
        self._gate.close()
        self._free()
        # The last of its objects closes the file.
        self._source = None

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _h5(self) -> Any:
        """The dataset as h5py has it."""
        with self._gate.inside():
            return self._source

    def __reduce__(self) -> tuple[Any, ...]:
        from ._open import open

        return open, self._arguments

    def _by_h5py(self, source: Any, key: Any) -> Any:
        if self._missing != "fill":
            raise UnsupportedError(
                f"missing={self._missing!r} is not known for what h5py reads: {self.reason or key!r}"
            )
        return source[key]

    def _fill(self, chosen: _keys.Selection, out: NDArray[Any], is_over: threading.Event | None = None) -> None:
        """Reads a selection into `out`, an array of its shape."""
        if out.size == 0:
            return
        if chosen.listed is not None:
            self._fill_listed(chosen, out)
            return
        strides, at = [], iter(out.strides)
        address = out.ctypes.data
        for count, flipped, dropped in zip(chosen.count, chosen.flipped, chosen.dropped, strict=True):
            stride = 0 if dropped else next(at)
            address += stride * (count - 1) if flipped else 0
            strides.append((-stride if flipped else stride) or self._dtype.itemsize)
        self._read(chosen, address, strides, is_over)

    def _fill_listed(self, chosen: _keys.Selection, out: NDArray[Any]) -> None:
        """A list on one axis: each part of it is read at once, then put into its place."""
        parts = _keys.parts(chosen, self.chunks, self._dtype.itemsize)

        def read(part: _keys.Part) -> None:
            block = np.empty(part.block.shape, self._dtype)
            self._fill(part.block, block)
            out[part.place] = block.take(part.taken, axis=part.axis)

        n_workers = min(len(parts), os.cpu_count() or 1) if self.way == "direct" else 1
        with ThreadPoolExecutor(n_workers, "darkchunk") as workers:
            list(workers.map(read, parts))

    def _read(self, chosen: _keys.Selection, address: int, strides: list[int], is_over: threading.Event | None) -> None:
        """`dc_read`, in pieces."""
        n = len(self._shape)
        numbers = [(c.c_uint64 * n)(*part) for part in (chosen.start, chosen.count, chosen.step)]
        read, is_done = c.c_void_p(), c.c_int()
        with self._gate.inside():
            _native.call("dc_read_begin", self._handle, *numbers, address, (c.c_int64 * n)(*strides), read)
            try:
                while not is_done.value and not (is_over and is_over.is_set()):
                    with contextlib.nullcontext() if self.way == "direct" else _hosted.lock():
                        _native.call("dc_read_step", read, _PIECE, is_done)
            except MissingError as error:
                self._say_why(chosen, error)
                raise
            finally:
                _native.library().dc_read_free(read)

    def _say_why(self, chosen: _keys.Selection, error: MissingError) -> None:
        """Has the error name the first frame that is never to be in the file, where the file says what became of it."""
        frames = range(chosen.start[0], chosen.start[0] + chosen.count[0] * chosen.step[0], chosen.step[0])
        try:
            statuses = _status.of(self._source, frames[0], frames[-1] + 1)[:: frames.step]
        except UnsupportedError:
            return
        if (found := np.flatnonzero(_status.settled(statuses))).size:
            index, status = frames[found[0]], int(statuses[found[0]])
            error.args = (f"frame {index} was never stored: it was {_status.WORDS[status]} (frame_status {status})",)

    def _mask(self, chosen: _keys.Selection) -> NDArray[np.bool_]:
        """Where nothing was ever stored."""
        if chosen.listed is not None:
            raise UnsupportedError("missing='mask' takes numbers and slices, no lists")
        n, found = len(self._shape), np.zeros(chosen.count, np.uint8)
        if found.size:
            numbers = [(c.c_uint64 * n)(*part) for part in (chosen.start, chosen.count, chosen.step)]
            with self._gate.inside():
                _native.call("dc_reader_missing", self._handle, *numbers, found.ctypes.data)
        flips = tuple(slice(None, None, -1) if flipped else slice(None) for flipped in chosen.flipped)
        return found[flips].reshape(chosen.shape).astype(bool)


def _check_shape(out: NDArray[Any], shape: tuple[int, ...]) -> None:
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, what is selected {shape}")


def _is_plain(source: Any) -> bool:
    """Whether the stored bytes are those of the numpy type, so that nothing is to be converted."""
    from h5py import h5t

    stored, dtype = source.id.get_type(), source.dtype
    if dtype.hasobject or source.shape is None:
        return False
    with contextlib.suppress(TypeError, ValueError):
        return any(h5t.py_create(dtype, logical=logical).equal(stored) for logical in (True, False))
    return False


@contextlib.contextmanager
def _one_reference(identifier: Any) -> Iterator[None]:
    """HDF5 refreshes no dataset whose identifier has several references."""
    from h5py import h5i

    more = h5i.get_ref(identifier) - 1
    for _ in range(more):
        h5i.dec_ref(identifier)
    try:
        yield
    finally:
        for _ in range(more):
            h5i.inc_ref(identifier)


def _free(handle: c.c_void_p | None, own_file: Any) -> None:
    with _hosted.lock():
        if handle is not None:
            _native.library().dc_reader_free(handle)
        if own_file is not None and own_file.valid:
            own_file.close()
