"""Copying the plugins into a folder that HDF5 looks through by itself."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ._native import PLUGIN_PATH

#: What the HDF5 of h5py's and PyTables' wheels, and most that are built from source, look through by default.
FOLDER = "/usr/local/hdf5/lib/plugin"
_MARK = b"darkchunk"


def install(folder: str, dry_run: bool = False, force: bool = False) -> Iterator[str]:
    """Copies the plugins to `folder`, a line for each. A file of the same name that is not ours stays, with an error,
    unless `force`."""
    place = Path(folder)
    files = sorted(Path(PLUGIN_PATH).iterdir())
    foreign = [target for file in files if (target := place / file.name).exists() and not _is_ours(target)]
    if foreign and not force:
        raise FileExistsError(f"{foreign[0]} is not darkchunk's: --force puts ours in its place")
    for file in files:
        target = place / file.name
        if target.exists() and filecmp.cmp(file, target, shallow=False):
            yield f"{target}: is there"
            continue
        if not dry_run:
            _copy(file, target)
        yield f"{target}: {'would be written' if dry_run else 'written'}"
    yield from _reached(place)


def _is_ours(file: Path) -> bool:
    return _MARK in file.read_bytes()


def _copy(file: Path, target: Path) -> None:
    """So that a program that loads it meets the old file or the new one, never half of one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".new-{os.getpid()}-{target.name}")
    try:
        shutil.copyfile(file, new)
        new.chmod(0o755)
        os.replace(new, target)
    finally:
        new.unlink(missing_ok=True)


def _reached(place: Path) -> Iterator[str]:
    if str(place) == FOLDER:
        yield "found by the HDF5 of h5py's, PyTables' and netCDF4's wheels, where HDF5_PLUGIN_PATH is not set."
        yield "not by a netCDF4 that sets the variable to plugins of its own, nor by Debian's tools and conda's HDF5."
    else:
        yield f"found where HDF5 looks through {place} by default or HDF5_PLUGIN_PATH names it."
