"""What a test has done in a process of its own: packages imported in some order, then every filter in every host."""

import importlib
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "hosts"))

import child as hosts
import numpy as np

CHUNKS = (4, 33, 47)


def attempt(work, *arguments):
    """ "ok", or why not."""
    try:
        return work(*arguments) or "ok"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def read(host, path, data):
    return None if np.array_equal(hosts.READ[host](path), data) else "other pixels"


def write_and_read(host, path, number, values, data):
    hosts.WRITE[host](path, number, values, data, CHUNKS)
    return read(host, path, data)


def all_hosts(order, before, folder, files, filters, data):
    """Imports in this order, with hdf5plugin `before` or "after" all; each host reads `files` (by label) and writes
    and reads `filters`. `data`: the file of the frames. Before darkchunk is imported, each host reads a file and
    fails where `before` says "failed"."""
    outcomes, frames = {}, np.load(data)
    if before == "hdf5plugin before":
        importlib.import_module("hdf5plugin")
    for name in order:
        importlib.import_module(name)
        if before == "failed" and "darkchunk" not in order[: order.index(name) + 1]:
            outcomes[f"{name} failed"] = attempt(read, name, files["drle"], frames)
    if before == "hdf5plugin after":
        importlib.import_module("hdf5plugin")
    for host in [name for name in order if name != "darkchunk"]:
        for label, path in files.items():
            outcomes[f"{host} reads {label}"] = attempt(read, host, path, frames)
        for label, (number, values) in filters.items():
            path = Path(folder) / f"{host}-{label}.h5"
            outcomes[f"{host} writes {label}"] = attempt(write_and_read, host, path, number, values, frames)
    return outcomes


def netcdf_own_filters(order, path, names):
    """netCDF4's own interface writes and reads with each of these compressions; what came of it, what netCDF says it
    is, and which plugins are loaded."""
    for name in order:
        importlib.import_module(name)
    import netCDF4

    frames, outcomes = np.arange(40000, dtype="i4").reshape(4, 100, 100) // 50, {}
    with netCDF4.Dataset(path, "w") as file:
        axes = [file.createDimension(name, n).name for name, n in zip("tyx", frames.shape, strict=True)]
        for name in names:
            outcomes[name] = attempt(netcdf_write, file, name, axes, frames)
    with netCDF4.Dataset(path) as file:
        same = {name: bool((variable[:] == frames).all()) for name, variable in file.variables.items()}
        said = {name: {k: bool(v) for k, v in variable.filters().items()} for name, variable in file.variables.items()}
    return {"outcomes": outcomes, "same": same, "said": said, "plugins": plugins()}


def netcdf_write(file, name, axes, frames):
    file.createVariable(name, frames.dtype, axes, chunksizes=(1, 100, 100), compression=name)[:] = frames


def plugins():
    """The filter plugins in this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    mapped = {line.split(maxsplit=5)[-1].strip() for line in lines if "/" in line}
    return sorted(path for path in mapped if "plugin" in Path(path).parent.name and ".so" in path)
