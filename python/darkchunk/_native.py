"""`libdarkchunk` by ctypes: its structs, its functions with their argument types, and its status as an exception.

ctypes lets go of the interpreter's lock in each call. Nothing here checks what an address points to: whoever calls
keeps the objects behind the addresses alive, and their lengths right.
"""

from __future__ import annotations

import ctypes as c
import functools
import os
import sys
from pathlib import Path
from typing import Any

from ._errors import BY_STATUS, Error

FOLDER = Path(__file__).resolve().parent
#: The folder of the plugins: an element for `HDF5_PLUGIN_PATH`.
PLUGIN_PATH = str(FOLDER / "plugins")
MAX_VALUES = 32

_NAMES = {"win32": "darkchunk.dll", "darwin": "libdarkchunk.dylib"}


class Array(c.Structure):
    """`dc_array`: a chunk of any shape and element type."""

    _fields_ = [
        ("size", c.c_size_t),
        ("filter", c.c_uint32),
        ("values", c.POINTER(c.c_uint32)),
        ("n_values", c.c_size_t),
        ("number", c.c_int),
        ("is_big_endian", c.c_int),
        ("element_bytes", c.c_size_t),
        ("base_bytes", c.c_size_t),
        ("dims", c.POINTER(c.c_uint64)),
        ("n_dims", c.c_size_t),
        ("n_threads", c.c_size_t),
    ]


class Chunk(c.Structure):
    """`dc_chunk`: frames of a recording."""

    _fields_ = [
        ("size", c.c_size_t),
        ("element", c.c_int),
        ("filter", c.c_uint32),
        ("values", c.POINTER(c.c_uint32)),
        ("n_values", c.c_size_t),
        ("n_frames", c.c_size_t),
        ("height", c.c_size_t),
        ("width", c.c_size_t),
    ]


class Processing(c.Structure):
    """`dc_processing`: what is done to each frame before it is stored."""

    _fields_ = [
        ("size", c.c_size_t),
        ("dark", c.c_void_p),
        ("threshold", c.c_uint32),
        ("no_sum", c.c_int),
        ("flush_frames", c.c_uint64),
        ("flush_seconds", c.c_double),
        ("n_threads", c.c_size_t),
    ]


class Counts(c.Structure):
    """`dc_counts`."""

    _fields_ = [
        ("n_bright", c.c_uint64),
        ("n_zeroed", c.c_uint64),
        ("zeroed_sum", c.c_int64),
        ("n_saturated", c.c_uint64),
        ("n_sentinels", c.c_uint64),
    ]


class Summary(c.Structure):
    """`dc_summary`."""

    _fields_ = [
        ("n_pushed", c.c_uint64),
        ("n_stored", c.c_uint64),
        ("n_flushed", c.c_uint64),
        ("stored_bytes", c.c_uint64),
        ("n_counted", c.c_uint64),
        ("counts", Counts),
    ]


class ReaderOptions(c.Structure):
    """`dc_reader_options`."""

    _fields_ = [("size", c.c_size_t), ("n_threads", c.c_size_t), ("missing", c.c_int), ("only_hdf5", c.c_int)]


class ReaderInfo(c.Structure):
    """`dc_reader_info`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("way", c.c_int),
        ("rank", c.c_int),
        ("shape", c.c_uint64 * 32),
        ("chunk", c.c_uint64 * 32),
        ("element_bytes", c.c_size_t),
        ("element", c.c_int),
        ("is_big_endian", c.c_int),
        ("n_filters", c.c_int),
        ("filters", c.c_uint32 * 32),
        ("n_chunks", c.c_uint64),
        ("stored_bytes", c.c_uint64),
    ]


class ReaderStatistics(c.Structure):
    """`dc_reader_statistics`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("read_bytes", c.c_uint64),
        ("whole_chunks", c.c_uint64),
        ("partial_chunks", c.c_uint64),
        ("partial_blocks", c.c_uint64),
    ]


class FilterOf(c.Structure):
    """`dc_filter`: one of a dataset's filters."""

    _fields_ = [("id", c.c_uint32), ("values", c.POINTER(c.c_uint32)), ("n_values", c.c_size_t)]


class Measures(c.Structure):
    """`dc_measures`."""

    _fields_ = [("sum", c.c_int64), ("n_bright", c.c_uint64), ("maximum", c.c_int64)]


class Column(c.Structure):
    """`dc_column`."""

    _fields_ = [("name", c.c_char_p), ("number", c.c_int), ("n", c.c_size_t), ("units", c.c_char_p)]


class Share(c.Structure):
    """`dc_share`."""

    _fields_ = [
        ("first", c.c_uint64),
        ("frames", c.c_uint64),
        ("every", c.c_uint64),
    ]


class Spread(c.Structure):
    """`dc_spread`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("frames", c.c_uint64),
        ("bytes", c.c_uint64),
        ("n_files", c.c_uint64),
        ("first_own", c.c_uint64),
        ("n_own", c.c_uint64),
    ]


class RecorderOptions(c.Structure):
    """`dc_recorder_options`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("n_workers", c.c_size_t),
        ("max_bytes", c.c_uint64),
        ("policy", c.c_int),
        ("format", c.c_int),
        ("writer_thread", c.c_int),
        ("has_least", c.c_int),
        ("least", Measures),
        ("keep", c.c_void_p),
        ("keep_context", c.c_void_p),
        ("first_number", c.c_uint64),
        ("reorder", c.c_uint64),
        ("max_gap", c.c_uint64),
        ("columns", c.POINTER(Column)),
        ("n_columns", c.c_size_t),
        ("release", c.c_void_p),
        ("release_context", c.c_void_p),
        ("no_journal", c.c_int),
        ("reserve_bytes", c.c_uint64),
        ("swmr", c.c_int),
        ("class_column", c.c_char_p),
        ("n_classes", c.c_size_t),
        ("is_part", c.c_int),
        ("share", Share),
        ("index", c.c_char_p),
        ("maximum", c.c_int),
        ("in_place", c.c_int),
        ("rows_per_chunk", c.c_size_t),
    ]


class Preview(c.Structure):
    """`dc_preview`."""

    _fields_ = [
        ("threshold", c.c_uint32),
        ("n_frames", c.c_uint32),
        ("bright", c.c_double),
        ("ratio", c.c_double),
        ("frames_per_s", c.c_double),
    ]


class Noise(c.Structure):
    """`dc_noise`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("gain", c.c_double),
        ("offset", c.c_double),
        ("read_variance", c.c_double),
        ("gain_error", c.c_double),
        ("variance_at_0", c.c_double),
        ("variance_at_0_error", c.c_double),
        ("misfit", c.c_double),
        ("neighbours", c.c_double),
        ("n_doubts", c.c_size_t),
    ]


class RecorderStatistics(c.Structure):
    """`dc_recorder_statistics`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("n_received", c.c_uint64),
        ("n_stored", c.c_uint64),
        ("n_vetoed", c.c_uint64),
        ("n_refused", c.c_uint64),
        ("n_held", c.c_uint64),
        ("n_lost", c.c_uint64),
        ("n_dropped", c.c_uint64),
        ("n_late", c.c_uint64),
        ("n_duplicate", c.c_uint64),
        ("n_out_of_range", c.c_uint64),
        ("n_missing", c.c_uint64),
        ("n_flushed", c.c_uint64),
        ("n_queued", c.c_uint64),
        ("bytes_received", c.c_uint64),
        ("bytes_stored", c.c_uint64),
        ("bytes_held", c.c_uint64),
        ("seconds_behind", c.c_double),
        ("bytes_decoded", c.c_uint64),
        ("seconds", c.c_double),
        ("gb_per_s", c.c_double),
        ("codec_ratio", c.c_double),
        ("ratio", c.c_double),
    ]


class Restored(c.Structure):
    """`dc_restored`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("n_chunks", c.c_uint64),
        ("n_lost_chunks", c.c_uint64),
        ("n_rows", c.c_uint64),
        ("n_lost_rows", c.c_uint64),
        ("n_unread_bytes", c.c_uint64),
        ("n_copied", c.c_uint64),
        ("n_lost", c.c_uint64),
    ]


class SlicesOptions(c.Structure):
    """`dc_slices_options`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("arguments", c.POINTER(c.c_char_p)),
        ("n_arguments", c.c_size_t),
        ("output", c.c_char_p),
        ("n_threads", c.c_size_t),
        ("n_workers", c.c_size_t),
        ("max_memory", c.c_uint64),
        ("keep_going", c.c_int),
        ("resume", c.c_int),
        ("rank", c.c_uint64),
        ("n_ranks", c.c_uint64),
        ("library", c.c_char_p),
        ("library_sha256", c.c_char_p),
        ("stop", c.POINTER(c.c_int32)),
        ("n_done", c.POINTER(c.c_uint64)),
    ]


class SlicesPlan(c.Structure):
    """`dc_slices_plan`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("n_axes", c.c_int),
        ("extents", c.c_uint64 * 32),
        ("first", c.c_uint64),
        ("end", c.c_uint64),
        ("n_slabs", c.c_uint64),
        ("memory", c.c_uint64),
        ("n_bytes", c.c_uint64),
        ("decoded_bytes", c.c_uint64),
    ]


class SlicesSummary(c.Structure):
    """`dc_slices_summary`."""

    _fields_ = [
        ("size", c.c_size_t),
        ("n_done", c.c_uint64),
        ("n_skipped", c.c_uint64),
        ("n_failed", c.c_uint64),
        ("n_not_reached", c.c_uint64),
        ("read_bytes", c.c_uint64),
        ("decoded_bytes", c.c_uint64),
    ]


_OUT_SIZE = c.POINTER(c.c_size_t)
_ARRAY = c.POINTER(Array)
_NUMBERS = c.POINTER(c.c_uint64)

# Argument types by name; all of these return a `dc_status`.
_STATUS_FUNCTIONS: dict[str, list[Any]] = {
    "dc_array_cd_values": [_ARRAY, c.POINTER(c.c_uint32), c.c_size_t, _OUT_SIZE],
    "dc_array_max_encoded_len": [_ARRAY, _OUT_SIZE],
    "dc_array_encode": [_ARRAY, c.c_void_p, c.c_size_t, c.c_void_p, c.c_size_t, _OUT_SIZE],
    "dc_array_decode": [_ARRAY, c.c_void_p, c.c_size_t, c.c_void_p, c.c_size_t],
    "dc_decode_pipeline": [
        c.POINTER(FilterOf),
        c.c_size_t,
        c.c_uint32,
        c.c_void_p,
        c.c_size_t,
        c.c_void_p,
        c.c_size_t,
    ],
    "dc_noise_of_frames": [
        c.c_void_p,
        c.c_int,
        *[c.c_size_t] * 3,
        c.c_void_p,
        c.c_size_t,
        c.c_void_p,
        c.POINTER(Noise),
        c.c_char_p,
        c.c_size_t,
    ],
    "dc_hdf5_load": [c.c_char_p, c.c_void_p, c.c_void_p],
    "dc_reader_open": [c.c_void_p, c.c_int64, c.POINTER(ReaderOptions), c.POINTER(c.c_void_p)],
    "dc_reader_info_of": [c.c_void_p, c.POINTER(ReaderInfo)],
    "dc_reader_missing": [c.c_void_p, _NUMBERS, _NUMBERS, _NUMBERS, c.c_void_p],
    "dc_reader_statistics_of": [c.c_void_p, c.POINTER(ReaderStatistics)],
    "dc_reader_n_stored": [c.c_void_p, c.POINTER(c.c_uint64)],
    "dc_reader_sparse": [c.c_void_p, c.c_uint64, c.c_uint64, c.c_void_p, c.POINTER(c.c_void_p)],
    "dc_sparse_get": [c.c_void_p, *[c.POINTER(c.c_void_p)] * 3, c.POINTER(c.c_size_t)],
    "dc_reduction_new": [c.c_void_p, c.c_void_p, c.POINTER(c.c_void_p)],
    "dc_reduction_add": [c.c_void_p, c.c_void_p, c.c_uint64, c.c_uint64, c.c_double, c.POINTER(c.c_uint64)],
    "dc_reduction_get": [c.c_void_p] * 4,
    "dc_reader_regions": [c.c_void_p, c.c_uint64, c.c_uint64, c.c_void_p, c.c_void_p, c.c_size_t, *[c.c_void_p] * 3],
    "dc_bins_new": [c.c_size_t, c.c_size_t, *[c.c_void_p] * 3, c.POINTER(c.c_void_p)],
    "dc_reader_integrate": [c.c_void_p, c.c_uint64, c.c_uint64, *[c.c_void_p] * 5],
    "dc_index_begin": [c.c_void_p, c.c_char_p, c.POINTER(c.c_void_p)],
    "dc_index_step": [c.c_void_p, c.c_double, c.POINTER(c.c_int)],
    "dc_reader_load_index": [c.c_void_p, c.c_char_p, c.POINTER(c.c_uint64)],
    "dc_reader_refresh": [c.c_void_p],
    "dc_read_begin": [
        c.c_void_p,
        _NUMBERS,
        _NUMBERS,
        _NUMBERS,
        c.c_void_p,
        c.POINTER(c.c_int64),
        c.POINTER(c.c_void_p),
    ],
    "dc_recorder_create": [
        c.c_void_p,
        c.c_int64,
        c.c_char_p,
        c.POINTER(Chunk),
        c.c_int,
        c.POINTER(Processing),
        c.POINTER(RecorderOptions),
        c.POINTER(c.c_void_p),
    ],
    "dc_recorder_create_files": [
        c.c_void_p,
        c.c_char_p,
        c.POINTER(Spread),
        c.c_char_p,
        c.POINTER(Chunk),
        c.c_int,
        c.POINTER(Processing),
        c.POINTER(RecorderOptions),
        c.POINTER(c.c_void_p),
    ],
    "dc_recorder_complete": [c.c_void_p, c.c_char_p, c.c_size_t, c.POINTER(c.c_int)],
    "dc_recorder_push": [c.c_void_p, c.c_uint64, c.c_void_p, c.c_void_p, c.c_char_p, c.POINTER(c.c_int)],
    "dc_recorder_push_copy": [c.c_void_p, c.c_uint64, c.c_void_p, c.c_char_p, c.POINTER(c.c_int)],
    "dc_recorder_push_encoded": [
        c.c_void_p,
        c.c_uint64,
        c.c_int,
        c.c_void_p,
        c.c_size_t,
        c.c_void_p,
        c.c_char_p,
        c.POINTER(c.c_int),
    ],
    "dc_recorder_check_every": [c.c_void_p, c.c_uint64],
    "dc_recorder_set_threshold": [c.c_void_p, c.c_uint32, c.POINTER(c.c_uint64)],
    "dc_recorder_set_dark": [c.c_void_p, c.c_void_p, c.POINTER(c.c_uint64)],
    "dc_recorder_push_pixels": [
        c.c_void_p,
        c.c_uint64,
        c.c_void_p,
        c.c_void_p,
        c.c_size_t,
        c.c_char_p,
        c.POINTER(c.c_int),
    ],
    "dc_recorder_released": [c.c_void_p, c.POINTER(c.c_void_p), c.c_size_t, _OUT_SIZE],
    "dc_recorder_poll": [c.c_void_p],
    "dc_recorder_flush": [c.c_void_p, c.c_int],
    "dc_recorder_finish": [c.c_void_p],
    "dc_recorder_abandon": [c.c_void_p],
    "dc_recorder_statistics_of": [c.c_void_p, c.POINTER(RecorderStatistics)],
    "dc_recorder_fault": [c.c_void_p, c.c_char_p, c.c_size_t],
    "dc_recorder_live_sum": [c.c_void_p, c.c_size_t, c.c_void_p, c.c_size_t, c.POINTER(c.c_uint64)],
    "dc_recorder_live_maximum": [c.c_void_p, c.c_void_p, c.c_size_t, c.POINTER(c.c_uint64)],
    "dc_recorder_last_frame": [c.c_void_p, c.c_void_p, c.c_size_t, c.POINTER(c.c_uint64), c.POINTER(c.c_int)],
    "dc_recorder_preview": [
        c.c_void_p,
        c.c_size_t,
        c.c_void_p,
        c.c_size_t,
        c.c_double,
        c.POINTER(Preview),
    ],
    "dc_events_create": [
        c.c_void_p,
        c.c_int64,
        c.c_char_p,
        c.POINTER(Column),
        c.c_size_t,
        c.c_uint32,
        c.POINTER(c.c_uint32),
        c.c_size_t,
        c.POINTER(c.c_void_p),
    ],
    "dc_events_push": [c.c_void_p, c.c_uint64, c.POINTER(c.c_void_p), c.c_size_t],
    "dc_events_flush": [c.c_void_p, c.c_uint64],
    "dc_journal_restore": [
        c.c_void_p,
        c.c_char_p,
        c.c_char_p,
        c.POINTER(Restored),
        c.c_char_p,
        c.c_size_t,
    ],
    "dc_master_make": [
        c.c_void_p,
        c.c_char_p,
        c.POINTER(c.c_char_p),
        c.c_size_t,
        c.c_char_p,
        c.c_size_t,
        _OUT_SIZE,
    ],
    "dc_slices_open": [c.c_void_p, c.c_char_p, c.c_void_p, c.POINTER(SlicesOptions), c.POINTER(c.c_void_p)],
    "dc_slices_plan_of": [c.c_void_p, c.POINTER(SlicesPlan)],
    "dc_slices_run": [c.c_void_p, c.POINTER(SlicesSummary)],
    "dc_read_step": [c.c_void_p, c.c_double, c.POINTER(c.c_int)],
    "dc_command": [c.c_size_t, c.POINTER(c.c_char_p), c.POINTER(c.c_int)],
    "dc_writer_create": [
        c.c_void_p,
        c.c_int64,
        c.c_char_p,
        c.POINTER(Chunk),
        c.c_int,
        c.POINTER(Processing),
        c.POINTER(c.c_void_p),
    ],
    "dc_writer_attach": [
        c.c_void_p,
        c.c_int64,
        c.c_char_p,
        c.c_int,
        c.c_size_t,
        c.POINTER(Processing),
        c.POINTER(c.c_void_p),
    ],
    "dc_writer_push": [c.c_void_p, c.c_void_p],
    "dc_writer_push_frames": [c.c_void_p, c.POINTER(c.c_void_p), c.c_size_t],
    "dc_writer_push_frames_in_place": [c.c_void_p, c.POINTER(c.c_void_p), c.c_size_t],
    "dc_writer_flush": [c.c_void_p],
    "dc_writer_finish": [c.c_void_p],
    "dc_writer_summary": [c.c_void_p, c.POINTER(Summary)],
    "dc_writer_sum": [c.c_void_p, c.POINTER(c.POINTER(c.c_int64)), _OUT_SIZE],
}


_FREE_FUNCTIONS = (
    "dc_bins_free",
    "dc_index_free",
    "dc_read_free",
    "dc_reader_free",
    "dc_recorder_free",
    "dc_events_free",
    "dc_reduction_free",
    "dc_slices_free",
    "dc_sparse_free",
    "dc_writer_free",
)


def path() -> Path:
    """The file of the library in this package."""
    # In the wheel for Linux it is beside the plugins, which use it; its name is none that HDF5 takes for a plugin's.
    shared = FOLDER / "plugins" / "darkchunk.so"
    return shared if shared.exists() else FOLDER / "lib" / _NAMES.get(sys.platform, "libdarkchunk.so")


@functools.cache
def library() -> c.CDLL:
    """The library, loaded when it is first needed."""
    try:
        lib = c.CDLL(os.fspath(path()))
    except OSError as error:
        raise ImportError(f"darkchunk's library cannot be loaded; install the wheel again: {error}") from error
    for name, arguments in _STATUS_FUNCTIONS.items():
        function = getattr(lib, name)
        function.argtypes, function.restype = arguments, c.c_int
    for name in ("dc_last_error", "dc_version", "dc_level"):
        function = getattr(lib, name)
        function.argtypes, function.restype = [], c.c_char_p
    lib.dc_hdf5_size.argtypes, lib.dc_hdf5_size.restype = [], c.c_size_t
    for name in _FREE_FUNCTIONS:
        function = getattr(lib, name)
        function.argtypes, function.restype = [c.c_void_p], None
    lib.dc_reader_reason.argtypes, lib.dc_reader_reason.restype = [c.c_void_p], c.c_char_p
    return lib


def call(name: str, *arguments: Any) -> None:
    """Calls a function that returns a `dc_status`, and raises what it says."""
    lib = library()
    status = getattr(lib, name)(*arguments)
    if status != 0:
        text = lib.dc_last_error().decode(errors="replace")
        raise BY_STATUS.get(status, Error)(text)


def level() -> str:
    """The instruction sets in use: scalar, sse41, avx2, avx512 or neon."""
    return library().dc_level().decode()
