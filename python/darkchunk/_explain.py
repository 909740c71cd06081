"""Why a file or an error is as it is: which filter is missing, who has it, and what to type."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from typing import Any

from . import _process, _promise
from ._list import CLASSES

# Filters of the HDF Group's registry that occur in practice: name, and who has the plugin.
_OURS = {filter_class.filter_id: filter_class.__name__ for filter_class in CLASSES}
_HDF5PLUGIN = "pip install hdf5plugin, then `import hdf5plugin`"
_KNOWN: dict[int, tuple[str, str]] = {
    1: ("gzip (deflate)", "any HDF5 that is built with zlib, as the wheels of h5py, PyTables and netCDF4 are"),
    2: ("shuffle", "any HDF5"),
    3: ("fletcher32", "any HDF5"),
    4: ("SZIP", "an HDF5 that is built with szip or libaec"),
    5: ("nbit", "any HDF5"),
    6: ("scaleoffset", "any HDF5"),
    305: ("LZO", "PyTables: `import tables`, and read with it"),
    307: ("BZIP2", _HDF5PLUGIN),
    32000: ("LZF", "h5py, which has it inside"),
    32013: ("ZFP", _HDF5PLUGIN),
    32017: ("SZ", _HDF5PLUGIN),
    32018: ("FCIDECOMP", _HDF5PLUGIN),
    32019: ("JPEG", "the plugin of CARS, jpegHDF5"),
    32020: ("VBZ", "pip install vbz-h5py-plugin, or ont-vbz-hdf-plugin"),
    32024: ("SZ3", _HDF5PLUGIN),
    32026: ("Blosc2", f"PyTables (`import tables`), or {_HDF5PLUGIN}"),
    32028: ("SPERR", _HDF5PLUGIN),
    32033: ("HTJ2K", _HDF5PLUGIN),
}
_IMPORT = "`import darkchunk` before reading (any order with h5py, PyTables and netCDF4 is right)"
# The phrases by which HDF5 and its hosts say that a filter is not there.
_MISSING = re.compile(
    r"can't find plugin|can't open directory|unknown compression filter number|required filter .* is not registered"
    r"|filter .* (is )?(not|un)available|undefined filter|cannot open shared object|unable to load plugin"
    r"|filter returned failure|filter not available",
    re.IGNORECASE,
)
# What PyTables and netCDF say in the place of HDF5's reason.
_SILENT = re.compile(r"returned errorcode|internal error (reading|modifying)|NetCDF: HDF error", re.IGNORECASE)
# The file itself is not whole.
_UNOPENED = re.compile(r"truncated file|bad object header|incorrect metadata checksum", re.IGNORECASE)
_SAVE = "The file is damaged. `darkchunk recover {} -o NEW` saves what is good of it."
_WAIT = "Another program has it open: wait, or, if it writes for readers (SWMR), open it with `swmr=True`."
_NUMBER = re.compile(r"filter(?: number)?[: ]+(\d{2,6})", re.IGNORECASE)


def explain(what: Any) -> str:
    """Which filters a file needs and whether they are here; or what an exception of h5py, PyTables or netCDF4 means.

    `what`: a path, `path:/dataset`, or an exception. The text names what is missing, who has it, and what to type. Of a
    dataset with the bounded codec it says what was promised, and by its chunks what was achieved.
    """
    if isinstance(what, BaseException):
        return _of_error(what)
    if isinstance(what, (str, os.PathLike)):
        return _of_file(os.fspath(what))
    raise TypeError(f"explain takes a path or an exception, not {type(what).__name__}")


def name_of(number: int) -> str:
    """A filter's name, as far as it is known."""
    return _OURS.get(number) or _KNOWN.get(number, (f"filter {number}", ""))[0]


def _remedy(number: int) -> str:
    if number in _OURS:
        return _IMPORT
    unknown = "ask who wrote the file for the plugin, and put it on HDF5_PLUGIN_PATH"
    return _KNOWN.get(number, ("", unknown))[1]


def _of_error(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    lines = [f"{type(error).__name__}: {text}"]
    # PyTables has HDF5's own words beside its own.
    text += f" {getattr(error, 'h5backtrace', None) or ''}"
    if _SILENT.search(text) and not _MISSING.search(text):
        lines += ["The host does not pass on what HDF5 said. Often a filter is missing; if it is one of darkchunk's:"]
        lines += [f"{_IMPORT}. `darkchunk.explain(path)` says which filters the file needs."]
        return "\n".join(lines)
    if _UNOPENED.search(text):
        lines += [_SAVE.format("FILE")]
        return "\n".join(lines)
    if not _MISSING.search(text):
        lines += ["This does not say that a filter is missing. `darkchunk.explain(path)` looks at the file."]
        return "\n".join(lines)
    found = _NUMBER.search(text)
    if found:
        number = int(found[1])
        lines += [f"A filter is missing: {name_of(number)}, number {number}.", f"Do: {_remedy(number)}."]
    elif "filter returned failure" in text.lower() and not re.search("plugin|directory|registered", text, re.I):
        lines += ["A filter is there and refused a chunk; the innermost text says why. The chunk may be damaged."]
    else:
        lines += ["HDF5 found no plugin for a filter of this dataset.", f"If it is one of darkchunk's: {_IMPORT}."]
        lines += ["`darkchunk.explain(path)` says which filter it is; `darkchunk plugins doctor`, where HDF5 looks."]
    return "\n".join(lines)


def _of_file(path: str) -> str:
    import h5py

    path, _, below = path.partition(":/") if not os.path.exists(path) else (path, "", "")
    if not os.path.exists(path):
        return f"{path}: no such file"
    if not h5py.is_hdf5(path):
        return f"{path}: no HDF5 file, or its beginning is damaged"
    chains: dict[tuple[int, ...], list[str]] = defaultdict(list)
    promises: list[str] = []
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        remedy = _WAIT if "unable to lock" in str(error) else _SAVE
        return f"{path}: HDF5 cannot open it: {error}\n{remedy.format(path)}"
    with file:
        _collect(file["/" + below] if below else file, chains, promises)
    lines = [line for chain, names in sorted(chains.items()) for line in _describe(chain, names)] + promises
    return "\n".join(lines or [f"{path}: no dataset has a filter"])


def _collect(item: Any, chains: dict[tuple[int, ...], list[str]], promises: list[str]) -> None:
    """Adds each dataset below `item` to the names of its filters, and what the bounded codec promised and achieved."""
    import h5py

    def visit(_name: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset):
            dcpl = found.id.get_create_plist()
            chain = tuple(dcpl.get_filter(index)[0] for index in range(dcpl.get_nfilters()))
            if chain:
                chains[chain].append(found.name)
                promises.extend(_promise.describe(found))

    visit("", item)
    if isinstance(item, h5py.Group):
        item.visititems(visit)


def _describe(chain: tuple[int, ...], names: list[str]) -> list[str]:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    lines = [f"{shown}: {' + '.join(f'{name_of(number)} ({number})' for number in chain)}"]
    library = next(iter(_process.libraries()), None)
    missing = [number for number in chain if library is None or not library.is_available(number)]
    if not missing:
        return [f"{lines[0]}: all filters are here"]
    return lines + [f"  missing: {name_of(number)} ({number}). Do: {_remedy(number)}." for number in missing]
