"""`darkchunk.open` and its like: from a path, or what another library has opened, to a `Dataset`."""

from __future__ import annotations

import os
from typing import Any

from . import _hosted
from ._errors import UnsupportedError
from ._reader import Dataset


def open(
    path: str | os.PathLike[str],
    dataset: str | None = None,
    threads: int | None = None,
    missing: str | None = None,
    swmr: bool = False,
    index: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Opens a dataset for reading by several threads.

    `dataset`: its path in the file; None for the one that NeXus's default attributes name, or the only one. `threads`
    that read and decode; None for one a processor. `missing`: what a chunk that was never stored is: "fill", its fill
    value, as in h5py (the default); "raise", a `MissingError` (the default with `swmr`: it may not be written yet);
    "mask", masked in a masked array. `swmr`: the file is being written by a SWMR writer; `refresh` sees what it has
    added, `wait` waits for it; a block that a killed writer has left half written is an error after some four
    seconds, in each call that needs it. `index`: a file that `Dataset.write_index` has written for this dataset; with
    it a small part of a chunk needs no other bytes than those of its blocks, from the first read on.
    """
    import h5py
    from h5py import h5f

    name, missing = os.fspath(path), missing or ("raise" if swmr else "fill")
    flags = h5f.ACC_RDONLY | (h5f.ACC_SWMR_READ if swmr else 0)
    opened = h5f.open(os.fsencode(name), flags, _hosted.access_to_growing() if swmr else None)
    try:
        file = h5py.File(opened)
        found = _default(file) if dataset is None else file[dataset]
        beside = None if index is None else os.path.abspath(index)
        arguments = (os.path.abspath(name), found.name, threads, missing, swmr, beside)
        made = Dataset(_checked(found), threads, missing, opened, arguments)
    except BaseException:
        opened.close()
        raise
    try:
        if beside is not None:
            made.load_index(beside)
        return made
    except BaseException:
        made.close()
        raise


def from_h5py(dataset: Any, threads: int | None = None, missing: str = "fill") -> Dataset:
    """A dataset that h5py has opened, read by several threads. Close it before its file. `threads`, `missing`: as of
    `open`. Of a file that h5py has open with `swmr=True` HDF5 waits for ever for a block that a killed writer has left
    half written: use `open`, and before h5py does."""
    found = _checked(dataset)
    file = found.file
    arguments = (os.path.abspath(file.filename), found.name, threads, missing, bool(getattr(file, "swmr_mode", False)))
    return Dataset(found, threads, missing, None, arguments)


def from_pytables(node: Any, threads: int | None = None, missing: str = "fill") -> Dataset:
    """A dataset that PyTables has opened (Array, CArray, EArray, Table), read by several threads. h5py opens the file
    a second time, so PyTables must have it open for reading only. `threads`, `missing`: as of `open`."""
    if not hasattr(node, "_v_isopen"):
        raise TypeError(f"a node of PyTables is needed, not {node!r}")
    if not node._v_isopen:
        raise UnsupportedError("the node's file is closed")
    file, name = node._v_file, node._v_pathname
    if file.mode != "r":
        raise UnsupportedError(f"{file.filename} is open in mode {file.mode!r}; close it, or open it with mode 'r'")
    return open(file.filename, name, threads, missing)


def _checked(found: Any) -> Any:
    import h5py

    if not isinstance(found, h5py.Dataset):
        raise TypeError(f"a dataset is needed, not {found!r}")
    if not found:
        raise UnsupportedError("the dataset's file is closed")
    return found


def _default(file: Any) -> Any:
    """The dataset that a viewer would show first: by the attributes `default` and `signal`; else the only one."""
    import h5py

    place, seen = file, 0
    while isinstance(place, h5py.Group) and seen < 10:
        step = _text(place.attrs.get("default", place.attrs.get("signal")))
        if step is None or step not in place:
            break
        place, seen = place[step], seen + 1
    if isinstance(place, h5py.Dataset):
        return place
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) and item.ndim else None)
    if len(names) == 1:
        return file[names[0]]
    listed = ", ".join(names[:10]) or "none"
    if len(names) > 10:
        listed += f" and {len(names) - 10} more"
    raise UnsupportedError(f"the file names no default dataset; give one. There are: {listed}")


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else None
