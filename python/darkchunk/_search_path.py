"""`HDF5_PLUGIN_PATH`: what is read by each HDF5 that is loaded later, in this process and in its children."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from ._native import PLUGIN_PATH

VARIABLE = "HDF5_PLUGIN_PATH"
#: What it was before this package changed it.
before = os.environ.get(VARIABLE)


def joined(value: str | None, ours: str, others: Iterable[str] = (), defaults: Iterable[str] = ()) -> str:
    """The variable with our folder in it.

    What is there stays, but for empty elements, with which netCDF finds nothing. `ours` stands first, so that no
    missing folder is before it, unless it is there already. `others` follow. `defaults` are what HDF5 looks through
    where the variable is not set, and hides where it is.
    """
    folders = [folder for folder in (value or "").split(os.pathsep) if folder]
    if not folders:
        folders = list(defaults)
    if ours not in folders:
        folders.insert(0, ours)
    place = folders.index(ours) + 1
    folders[place:place] = [folder for folder in others if folder not in folders]
    return os.pathsep.join(dict.fromkeys(folders))


def set_variable() -> str:
    """Sets the variable of this process, and returns it."""
    value = joined(os.environ.get(VARIABLE), PLUGIN_PATH, netcdf_folders(), default_folders())
    os.environ[VARIABLE] = value
    return value


def netcdf_folders() -> list[str]:
    """The folder of plugins in the netCDF4 wheel, if it is installed and has one. netCDF4 names it only where the
    variable is not set."""
    module = sys.modules.get("netCDF4")
    spec = getattr(module, "__spec__", None) if module else _spec("netCDF4")
    places = list(spec.submodule_search_locations or []) if spec else []
    folders = [Path(place) / "plugins" for place in places]
    return [str(folder) for folder in folders if any(folder.glob("lib*"))]


def _spec(name: str):  # type: ignore[no-untyped-def]
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def default_folders() -> list[str]:
    """The folders that HDF5 libraries are built to look through, if they are there."""
    triplet = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    folders = [
        f"{sys.prefix}/lib/hdf5/plugin",
        "/usr/local/lib/plugin",
        "/usr/local/hdf5/lib/plugin",
        "/usr/local/lib/hdf5/plugin",
        f"/usr/lib/{triplet}/hdf5/serial/plugins",
    ]
    return [folder for folder in folders if os.path.isdir(folder)]
