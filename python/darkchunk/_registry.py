"""Making the filters known to every HDF5 of the process, and saying who answers for each."""

from __future__ import annotations

import contextlib
import ctypes as c
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import _native, _process, _search_path
from ._filters import BLOSC_ID
from ._list import CLASSES, FILTERS, get_filters
from ._native import PLUGIN_PATH
from ._version import version

#: The plugin's file of each filter.
FILES = {name: f"libh5{'bitshuffle' if name == 'bshuf' else name}.so" for name in FILTERS}


class Registered(NamedTuple):
    """What `register` did in one HDF5."""

    library: str  #: whose it is, or its file's name
    version: tuple[int, int, int]
    path: str
    what: str


class BuildConfig(NamedTuple):
    """What is in this package."""

    version: str
    level: str  #: the instruction sets in use
    embedded_filters: tuple[str, ...]
    filter_file_extension: str


class Config(NamedTuple):
    """What is in this package, and who has each filter in h5py's HDF5 (or the first that is loaded)."""

    build_config: BuildConfig
    registered_filters: dict[str, str]


def register(filters: Any = tuple(FILTERS), force: bool = False) -> list[Registered]:
    """Makes the filters known to every HDF5 that is loaded, and to those that will be.

    `import darkchunk` does it for what is loaded then. `force`: of `filters` (names, numbers or classes), takes those
    from others who have registered them, such as hdf5plugin, and puts our folder before all others. PyTables keeps
    its own Blosc.
    """
    numbers = [filter_class.filter_id for filter_class in get_filters(filters)]
    _search_path.set_variable()
    return [_register_in(library, numbers if force else [], force) for library in _process.libraries()]


def _register_in(library: _process.Library, numbers: list[int], force: bool) -> Registered:
    changed = library.prepend(PLUGIN_PATH, move=force)
    done = ["folder added" if changed else "folder known"]
    for number in numbers:
        if number == BLOSC_ID and "PyTables" in library.hosts:
            done.append(f"{number} stays with PyTables, which gives it parameters of its own")
        elif library.is_registered(number) and not library.unregister(number):
            done.append(f"{number} stays with who has it: an open dataset uses it")
    return Registered(library.name, library.version, library.path, "; ".join(done))


def at_import() -> None:
    """What `import darkchunk` does unless DARKCHUNK_AUTO=0. It never fails."""
    if os.environ.get("DARKCHUNK_AUTO") == "0":
        return
    try:
        register()
    except Exception as error:
        warnings.warn(f"darkchunk's filters are not known to every HDF5: {error}", RuntimeWarning, stacklevel=3)


def get_config() -> Config:
    """What is in this package, and the file that answers for each filter."""
    build = BuildConfig(version, _native.level(), tuple(FILTERS), ".so")
    registered = {}
    for library in _process.libraries()[:1]:
        answers = {filter_class.filter_name: who_has(library, filter_class.filter_id) for filter_class in CLASSES}
        registered = {name: answer for name, answer in answers.items() if answer}
    return Config(build, registered)


def who_has(library: _process.Library, number: int) -> str | None:
    """The file that answers for a filter; "unknown" for one that a program registered; None: nobody."""
    if library.is_registered(number):
        return _by_hdf5plugin(number) or _used_plugin(number, library.folders()) or "unknown"
    if not library.loads_plugins():
        return None
    return next((str(file) for file in plugin_files(library.folders()) if plugin_id(file) == number), None)


def _by_hdf5plugin(number: int) -> str | None:
    """The file from which hdf5plugin has registered a filter, where it has."""
    module = sys.modules.get("hdf5plugin")
    if module is None:
        return None
    with contextlib.suppress(Exception):
        name = next(name for name, known in module.FILTERS.items() if known == number)
        file = module.get_config().registered_filters.get(name)
        return file if file and os.path.isfile(file) else None
    return None


def _used_plugin(number: int, folders: list[str]) -> str | None:
    """The plugin with this number on the path that is loaded already."""
    mapped = {mapping.path for mapping in _process.mappings()}
    for file in plugin_files(folders):
        if os.path.realpath(file) in mapped and plugin_id(file) == number:
            return str(file)
    return None


def plugin_files(folders: list[str]) -> Iterator[Path]:
    """The files that HDF5 looks at for plugins, in its order: that of the folders, then that of the system."""
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("lib") and (".so" in entry.name or ".dylib" in entry.name):
                    yield Path(entry.path)


class _Class(c.Structure):
    """The beginning of HDF5's `H5Z_class2_t`."""

    _fields_ = [("version", c.c_int), ("id", c.c_int)]


def plugin_id(file: Path) -> int | None:
    """The number of the filter that a plugin has; None for what is no plugin. Others' are loaded for that."""
    if str(file.parent) == PLUGIN_PATH:
        return next((FILTERS[name] for name, known in FILES.items() if known == file.name), None)
    try:
        plugin = c.CDLL(os.fspath(file))
        if plugin.H5PLget_plugin_type() != 0:
            return None
        plugin.H5PLget_plugin_info.restype = c.POINTER(_Class)
        info = plugin.H5PLget_plugin_info()
    except (OSError, AttributeError):
        return None
    return info.contents.id if info else None
