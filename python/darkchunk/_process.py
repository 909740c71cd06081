"""The HDF5 libraries in this process: which there are, whose they are, and their search path for plugins.

A library is found among the files that are mapped into the process, and by what h5py, PyTables and netCDF4 are linked
with; it is opened only where it is loaded already. Its functions are called with the interpreter's lock held, and
h5py's with h5py's own lock as well: most builds of HDF5 are not thread-safe.
"""

from __future__ import annotations

import contextlib
import ctypes as c
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

# The extension module of each host that is linked with its HDF5.
HOSTS = {"h5py": "h5py.h5d", "PyTables": "tables.hdf5extension", "netCDF4": "netCDF4._netCDF4"}
_IS_HDF5 = re.compile(r"(lib)?hdf5(_serial|_openmpi|_mpich)?[-.\d]*\.?(so|dylib|dll)[.\d]*$")
_MAPS = "/proc/self/maps"


class Mapping(NamedTuple):
    """A part of a file that is in memory, from `start` up to `end`."""

    start: int
    end: int
    path: str


def mappings() -> list[Mapping]:
    """The files that are mapped into this process; none where the system does not say."""
    found = []
    with contextlib.suppress(OSError), open(_MAPS, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) == 6 and fields[5].startswith("/"):
                start, end = (int(address, 16) for address in fields[0].split("-"))
                found.append(Mapping(start, end, fields[5]))
    return found


class Library:
    """An HDF5 that is loaded."""

    def __init__(self, handle: c.PyDLL, path: str, hosts: list[str]) -> None:
        self._lib, self.path, self.hosts = handle, path, hosts

    @property
    def name(self) -> str:
        """Whose it is."""
        return ", ".join(self.hosts) or os.path.basename(self.path)

    def _call(self, name: str, *arguments: Any, result: Any = c.c_int) -> int:
        function = getattr(self._lib, name)
        function.restype = result
        with _lock(), self._quiet():
            return function(*arguments)

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """No printed error stack meanwhile."""
        function, data = c.c_void_p(), c.c_void_p()
        kept = self._lib.H5Eget_auto2(c.c_int64(0), c.byref(function), c.byref(data)) >= 0
        self._lib.H5Eset_auto2(c.c_int64(0), None, None)
        try:
            yield
        finally:
            if kept:
                self._lib.H5Eset_auto2(c.c_int64(0), function, data)
            self._lib.H5Eclear2(c.c_int64(0))

    @property
    def version(self) -> tuple[int, int, int]:
        """Major, minor and release."""
        numbers = [c.c_uint() for _ in range(3)]
        self._call("H5get_libversion", *map(c.byref, numbers))
        return numbers[0].value, numbers[1].value, numbers[2].value

    def folders(self) -> list[str]:
        """The search path for plugins, in order."""
        n_folders, found = c.c_uint(), []
        if self._call("H5PLsize", c.byref(n_folders)) < 0:
            return []
        for index in range(n_folders.value):
            text = c.create_string_buffer(8192)
            n = self._call("H5PLget", c.c_uint(index), text, c.c_size_t(len(text)), result=c.c_ssize_t)
            found.append(os.fsdecode(text.value) if n >= 0 else "")
        return found

    def prepend(self, folder: str, move: bool = False) -> bool:
        """Puts `folder` first into the search path, where it is not there; `move`: where it is not first. Whether the
        path was changed."""
        folders = self.folders()
        if folder in folders and not (move and folders[0] != folder):
            return False
        for index in reversed([i for i, known in enumerate(folders) if known == folder]):
            self._call("H5PLremove", c.c_uint(index))
        if self._call("H5PLprepend", c.c_char_p(os.fsencode(folder))) < 0:
            raise OSError(f"{self.path}: H5PLprepend failed for {folder}")
        return True

    def loads_plugins(self) -> bool:
        """Whether it looks for plugins at all: not with HDF5_PLUGIN_PRELOAD=::."""
        state = c.c_uint()
        return self._call("H5PLget_loading_state", c.byref(state)) < 0 or bool(state.value & 1)

    def is_available(self, number: int) -> bool:
        """Whether it has the filter; it may load a plugin for that."""
        return self._call("H5Zfilter_avail", c.c_int(number)) > 0

    def is_registered(self, number: int) -> bool:
        """Whether it has the filter without looking for a plugin."""
        state = c.c_uint()
        if self._call("H5PLget_loading_state", c.byref(state)) < 0:
            return False
        self._call("H5PLset_loading_state", c.c_uint(0))
        try:
            return self.is_available(number)
        finally:
            self._call("H5PLset_loading_state", state)

    def unregister(self, number: int) -> bool:
        """Takes a filter out of its table; False where it refuses, as an open dataset uses the filter."""
        return self._call("H5Zunregister", c.c_int(number)) >= 0


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """h5py's lock, if h5py is there."""
    objects = sys.modules.get("h5py._objects")
    with objects.phil if objects else contextlib.nullcontext():
        yield


def _open(path: str) -> c.PyDLL | None:
    """A library that is loaded; None where it is not."""
    mode = getattr(os, "RTLD_NOLOAD", None)
    if mode is None:
        return None
    try:
        return c.PyDLL(path, mode=mode | os.RTLD_LAZY)
    except OSError:
        return None


def libraries() -> list[Library]:
    """The HDF5 libraries that are loaded, each once; h5py's first, then PyTables', then netCDF4's."""
    mapped = mappings()
    found: dict[int, Library] = {}
    for host, module_name in HOSTS.items():
        file = getattr(sys.modules.get(module_name), "__file__", None)
        if file:
            _add(found, file, host, mapped)
    for path in dict.fromkeys(mapping.path for mapping in mapped):
        if _IS_HDF5.match(os.path.basename(path)):
            _add(found, path, None, mapped)
    return list(found.values())


def _add(found: dict[int, Library], path: str, host: str | None, mapped: list[Mapping]) -> None:
    """Adds the HDF5 that `path` is, or is linked with. One HDF5 has one address of `H5open`."""
    handle = _open(path)
    if handle is None or not all(hasattr(handle, name) for name in ("H5open", "H5PLprepend", "H5Eget_auto2")):
        return
    address = c.cast(handle.H5open, c.c_void_p).value or 0
    file = next((mapping.path for mapping in mapped if mapping.start <= address < mapping.end), path)
    library = found.setdefault(address, Library(handle, file, []))
    if host:
        library.hosts.append(host)
