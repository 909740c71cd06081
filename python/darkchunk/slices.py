"""A function over slices of datasets: each chunk is read and decoded once, in threads; slices are not copied.

import darkchunk

def mean(image):
    return image.mean()

darkchunk.slices.run(
    "scan.h5", mean, {"/entry/data/data": (1, 0, 0)}, {"means": ("f8", (-1,))}, "means.h5"
)
"""

from __future__ import annotations

import ctypes as c
import hashlib
import inspect
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _hosted, _native
from ._errors import SliceError
from ._filters import _integer
from ._python_library import SKIP, STOP, Library

__all__ = ["SKIP", "STOP", "Summary", "run"]

# How long a run is waited for before Ctrl-C is seen, where the system does not say so at once.
_PIECE = 0.05
_MAX_THREADS = 256


@dataclass(frozen=True)
class Summary:
    """What became of the slices of this process.

    `shape`: the extents along the slicing axes. `done`, `skipped`, `failed`, `not_reached`: numbers of slices.
    `failure`: the first that failed, with `keep_going`. `nbytes`: bytes of all elements of the inputs; `read_bytes`,
    `decoded_bytes`: as counted. `memory`: what slabs, reading and outputs took at most, in bytes.
    """

    shape: tuple[int, ...]
    done: int
    skipped: int
    failed: int
    not_reached: int
    failure: SliceError | None
    nbytes: int
    read_bytes: int
    decoded_bytes: int
    memory: int


def run(
    path: str | os.PathLike[str],
    function: Callable[..., Any],
    inputs: Mapping[str, Sequence[int]] | Sequence[tuple[str, Sequence[int]]],
    outputs: Mapping[str, tuple[Any, Sequence[int]]] | None = None,
    to: str | os.PathLike[str] | None = None,
    *,
    padding: int | tuple[int, int] = 0,
    block: int = 1,
    place: bool = False,
    workers: int | None = None,
    threads: int | None = None,
    memory: float = 2e9,
    keep_going: bool = False,
    arguments: Mapping[str, Any] | None = None,
    rank: tuple[int, int] | None = None,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Calls `function(slice, ...)` with a slice of each input, for all slices; writes what it returns to a new file.

    `inputs`: the slicing map of each dataset of the file `path`, in the order of the function's parameters: 0, a slice
    has all of this axis; k, one place of slicing axis k, of which 1 is the slowest; zeros at the end may be left out. A
    dataset without a slicing axis is the same in every call. Slices are numpy arrays of the file's elements in the
    machine's byte order, which cannot be written to, and are there for the call only: copy what is to be kept.

    `outputs`: dtype and shape of each dataset of the new file `to`; an axis of -k is as long as slicing axis k. The
    function returns an array, or number, of the shape of the other axes; with several outputs a tuple of these. Or it
    returns `SKIP`: nothing is stored for this slice; or `STOP`: neither for this one nor for those after it.

    `padding`: so many slices before and after along the fastest slicing axis come with each, in a first axis of its
    own, the outermost again beyond an end. `block`: at most so many slices a call, in a first axis of inputs (that have
    the fastest slicing axis) and outputs. `place`: the function gets the place of the (first) slice along the slicing
    axes as `place`. `workers` threads call it; `threads` read and decode; None, one for each processor. Python's lock
    is held in calls of the function only, so numpy's work, but not Python's own, is done by all of them. `memory`:
    bytes for slabs, reading and outputs; with room for two slabs as high as the chunks each chunk is read once.

    `keep_going`: a slice that fails is marked in `/entry/process/status`, and the run goes on. `arguments`: passed to
    the function by name, and stored. `rank`: `(i, n)` of several processes, each of which makes a part of the file
    (docs/slices.md); None, as the launcher says (mpiexec, srun, arrays of jobs). `resume`: what an
    earlier run has finished is kept, if its function's text, arguments, inputs and outputs were the same; what the
    function calls or closes over is not seen. `progress`: called with the slices that are done, and all.

    An exception of the function ends the run with a `SliceError` that names the slice, and has it as its cause; there
    is no new file then. Ctrl-C ends it, too: Python code at once, a function of C when it returns.
    """
    library = Library(path, function, inputs, outputs, padding, block, place, dict(arguments or {}))
    given = _options(library, to, rank)
    given.n_threads = 0 if threads is None else _integer(threads, "threads", 1, _MAX_THREADS)
    given.n_workers = given.n_threads if workers is None else _integer(workers, "workers", 1, _MAX_THREADS)
    given.max_memory = _integer(int(memory), "memory", 1, 1 << 62)
    given.keep_going, given.resume = bool(keep_going), bool(resume)
    return _Run(library, os.fspath(path), given).wait(progress)


def _options(library: Library, to: str | os.PathLike[str] | None, rank: tuple[int, int] | None) -> Any:
    given = _native.SlicesOptions(size=c.sizeof(_native.SlicesOptions))
    texts = [f"{name}={_words(value)}".encode() for name, value in library.arguments.items()]
    if library.has_place:
        texts.append(b"place=True")
    given.arguments, given.n_arguments = (c.c_char_p * len(texts))(*texts), len(texts)
    if to is not None:
        given.output = os.fsencode(to)
    if rank is not None:
        given.rank, given.n_ranks = _integer(rank[0], "rank", 0, 1 << 31), _integer(rank[1], "n_ranks", 1, 1 << 31)
    source = _source(library.function)
    given.library = source[0].encode()
    given.library_sha256 = hashlib.sha256(source[1].encode()).hexdigest().encode()
    return given


def _words(value: Any) -> str:
    """Of arrays also a checksum: numpy shortens large ones."""
    return " ".join([repr(value), *(f"sha256:{_sha256(array)}" for array in _arrays(value))])


def _arrays(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    if isinstance(value, np.ndarray):
        # The bytes of objects are where they are in memory.
        if not value.dtype.hasobject:
            yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _arrays(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _arrays(each)


def _sha256(array: np.ndarray[Any, Any]) -> str:
    found = hashlib.sha256(f"{array.dtype} {array.shape} ".encode())
    found.update(array.tobytes())
    return found.hexdigest()


def _source(function: Any) -> tuple[str, str]:
    """The file of a function and its text, as far as Python knows them."""
    try:
        return inspect.getsourcefile(function) or "", inspect.getsource(function)
    except (TypeError, OSError):
        return getattr(function, "__module__", None) or "", repr(function)


class _Run:
    """A run in a thread of its own, so that the caller's sees Ctrl-C."""

    def __init__(self, library: Library, path: str, options: Any) -> None:
        self._library, self._path, self._options = library, path, options
        self._stop, self._n_done = c.c_int32(), c.c_uint64()
        options.stop, options.n_done = c.pointer(self._stop), c.pointer(self._n_done)
        self._plan = _native.SlicesPlan(size=c.sizeof(_native.SlicesPlan))
        self._summary = _native.SlicesSummary(size=c.sizeof(_native.SlicesSummary))
        self._error: BaseException | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="darkchunk-slices")

    def wait(self, progress: Callable[[int, int], None] | None) -> Summary:
        self._thread.start()
        try:
            told = -1
            # Not `join`, which Ctrl-C may lead to think that a thread is over.
            while not self._is_over.wait(_PIECE):
                if progress is not None and self._plan.end and told != (told := self._n_done.value):
                    progress(told, self._plan.end - self._plan.first)
        except BaseException:
            self._stop.value = 1
            self._library.interrupt()
            self._is_over.wait()
            raise
        finally:
            self._thread.join()
        self._check()
        return self._result()

    def _work(self) -> None:
        """All that is done in the library."""
        try:
            table = _hosted.guarded_table()
            handle = c.c_void_p()
            _native.call(
                "dc_slices_open", table, os.fsencode(self._path), c.byref(self._library.table), self._options, handle
            )
            try:
                _native.call("dc_slices_plan_of", handle, self._plan)
                _native.call("dc_slices_run", handle, self._summary)
            finally:
                _native.library().dc_slices_free(handle)
        except BaseException as error:
            self._error = error
        finally:
            self._is_over.set()

    def _check(self) -> None:
        """Raises what went wrong."""
        if self._library.error is not None:
            raise self._library.error
        failure = self._failure()
        if failure is not None and not self._options.keep_going:
            raise failure from failure.__cause__
        if self._error is not None:
            raise self._error

    def _failure(self) -> SliceError | None:
        if self._library.failure is None:
            return None
        slice_, place, cause = self._library.failure
        made = SliceError(f"slice {slice_}, at {place}: {type(cause).__name__}: {cause}")
        made.slice, made.place, made.__cause__ = slice_, place, cause
        return made

    def _result(self) -> Summary:
        plan, found = self._plan, self._summary
        return Summary(
            shape=tuple(plan.extents[: plan.n_axes]),
            done=found.n_done,
            skipped=found.n_skipped,
            failed=found.n_failed,
            not_reached=found.n_not_reached,
            failure=self._failure(),
            nbytes=plan.n_bytes,
            read_bytes=found.read_bytes,
            decoded_bytes=found.decoded_bytes,
            memory=plan.memory,
        )
