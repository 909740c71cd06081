"""Work that a test wants done in a process of its own: `python child.py ACTION '{"argument": …}'`.

Nothing here imports or initialises a plugin: `HDF5_PLUGIN_PATH` is all that leads to them. The last line printed is the
result as JSON.
"""

import ctypes
import inspect
import json
import sys

import numpy as np

from common import CHUNKS, CONFIGS, HOSTS, frames
from hdf5 import MANDATORY, Hdf5


def write_with_h5py(path, number, values, data, chunks=CHUNKS):
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("frames", data=data, chunks=chunks, compression=number, compression_opts=tuple(values))


def write_with_tables(path, number, values, data, chunks=CHUNKS):
    """PyTables writes; its interface cannot set a filter, so its own HDF5 makes the dataset."""
    import tables

    library = Hdf5.of("tables")
    file = library.create_file(path)
    library.lib.H5Dclose(library.create(file, "frames", data.shape, chunks, data.dtype, [(number, MANDATORY, values)]))
    library.close_file(file)
    with tables.open_file(path, "a") as file:
        file.root.frames[...] = data


def write_with_netcdf(path, number, values, data, chunks=CHUNKS):
    """netCDF4 writes; the filter is set through the netCDF library that it has loaded."""
    import netCDF4

    with netCDF4.Dataset(path, "w") as file:
        names = [file.createDimension(f"dim{i}", n).name for i, n in enumerate(data.shape)]
        variable = file.createVariable("frames", data.dtype, names, chunksizes=chunks, fill_value=False)
        library = ctypes.CDLL(next(line.split()[-1] for line in open("/proc/self/maps") if "libnetcdf" in line))
        array = (ctypes.c_uint * max(len(values), 1))(*values)
        status = library.nc_def_var_filter(
            ctypes.c_int(file._grpid), ctypes.c_int(variable._varid), ctypes.c_uint(number),
            ctypes.c_size_t(len(values)), array,
        )
        assert status == 0, f"nc_def_var_filter: {status}"
        variable[:] = data


def read_with_h5py(path):
    import h5py

    with h5py.File(path, "r") as file:
        return file["frames"][:]


def read_with_tables(path):
    import tables

    with tables.open_file(path, "r") as file:
        return file.root.frames[:]


def read_with_netcdf(path):
    import netCDF4

    with netCDF4.Dataset(path, "r") as file:
        variable = file.variables["frames"]
        variable.set_auto_maskandscale(False)
        return variable[:]


WRITE = {"h5py": write_with_h5py, "tables": write_with_tables, "netCDF4": write_with_netcdf}
READ = {"h5py": read_with_h5py, "tables": read_with_tables, "netCDF4": read_with_netcdf}


def attempt(work, *arguments):
    """What came of it, as a text: "ok", or why not."""
    try:
        return work(*arguments) or "ok"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def one_process(order, folder):
    """All hosts, imported in this order, write and read everything. Returns {"writer config reader": outcome}."""
    for host in order:
        __import__(host)
    data, results = frames(), {}
    for writer in order:
        for label, (number, values) in CONFIGS.items():
            path = f"{folder}/{writer}-{label}.h5"
            written = attempt(WRITE[writer], path, number, values, data)
            results[f"{writer} {label} write"] = written
            for reader in reversed(order):
                results[f"{writer} {label} {reader}"] = attempt(compare, reader, path, data)
    loaded = {line.split()[-1] for line in open("/proc/self/maps") if "libhdf5" in line or "libh5" in line}
    results["loaded"] = sorted(loaded)
    return results


def compare(reader, path, data):
    found = READ[reader](path)
    if found.dtype != data.dtype or not np.array_equal(found, data):
        return f"{reader} reads other frames than were written"


def read_everything(folder, reader):
    """One host alone reads what all of them wrote."""
    data = frames()
    return {
        f"{writer} {label}": attempt(compare, reader, f"{folder}/{writer}-{label}.h5", data)
        for writer in HOSTS
        for label in CONFIGS
    }


def functions(*modules):
    """What these modules define, by name, which no two may have in common."""
    found = {}
    for module in modules:
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                other = found.setdefault(name, value)
                assert other is value, f"{name} is in {other.__module__} and in {module.__name__}"
    return found


if __name__ == "__main__":
    import actions
    import chains
    import threaded
    import unsized

    known = functions(sys.modules["__main__"], actions, chains, threaded, unsized)
    print(json.dumps(known[sys.argv[1]](**json.loads(sys.argv[2]))))
