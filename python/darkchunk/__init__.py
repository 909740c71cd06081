"""HDF5 compression for detectors and cameras.

`import darkchunk`, before or after h5py, PyTables or netCDF4, makes the filters DRLE, bitshuffle, Blosc, LZ4, Zstd and
bounded known to every HDF5 of the process, to those that are loaded later, and to child processes (DARKCHUNK_AUTO=0: it
does not). Then these read them, and h5py also writes them:

    import darkchunk, h5py

    with h5py.File("run.h5", "w") as file:
        file.create_dataset("frames", data=frames, chunks=(1, 1024, 1024), compression=darkchunk.DRLE(threshold=20))
"""

from __future__ import annotations

from . import _registry, slices, talk
from ._bins import Bins, Integrated
from ._bounded import BOUNDED_ID, Bounded
from ._chunks import decode_chunk, encode_chunk
from ._compare import compare
from ._errors import (
    ArgumentError,
    DamagedError,
    Error,
    Hdf5Error,
    MissingError,
    NotStoredError,
    NotTakenError,
    ReadError,
    SliceError,
    TooBrightError,
    UnsupportedError,
)
from ._events import Events
from ._explain import explain
from ._filters import (
    BLOSC_ID,
    BSHUF_ID,
    DRLE,
    DRLE_ID,
    LZ4,
    LZ4_ID,
    ZSTD_ID,
    Bitshuffle,
    Blosc,
    Filter,
    Zstd,
)
from ._list import FILTERS, from_filter_options, get_filters
from ._master import make_master
from ._native import PLUGIN_PATH
from ._noise import NoiseModel, noise_model
from ._open import from_h5py, from_pytables, open
from ._reader import Dataset
from ._recorder import Recorder, Statistics
from ._reduction import Reduced, Reduction
from ._registry import get_config, register
from ._restore import Restored, restore
from ._sparse import Regions, Sparse
from ._version import version, version_info
from ._writer import Summary, Writer

__version__ = version

__all__ = [
    "BLOSC_ID",
    "BOUNDED_ID",
    "BSHUF_ID",
    "DRLE",
    "DRLE_ID",
    "FILTERS",
    "LZ4",
    "LZ4_ID",
    "PLUGIN_PATH",
    "ZSTD_ID",
    "ArgumentError",
    "Bins",
    "Bitshuffle",
    "Blosc",
    "Bounded",
    "DamagedError",
    "Dataset",
    "Error",
    "Events",
    "Filter",
    "Hdf5Error",
    "Integrated",
    "MissingError",
    "NoiseModel",
    "NotStoredError",
    "NotTakenError",
    "ReadError",
    "Recorder",
    "Reduced",
    "Reduction",
    "Regions",
    "Restored",
    "SliceError",
    "Sparse",
    "Statistics",
    "Summary",
    "TooBrightError",
    "UnsupportedError",
    "Writer",
    "Zstd",
    "__version__",
    "compare",
    "decode_chunk",
    "encode_chunk",
    "explain",
    "from_filter_options",
    "from_h5py",
    "from_pytables",
    "get_config",
    "get_filters",
    "make_master",
    "noise_model",
    "open",
    "register",
    "restore",
    "slices",
    "talk",
    "version",
    "version_info",
]

_registry.at_import()
