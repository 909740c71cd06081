"""What single tests have done in a process of their own, by name. See child.py."""

import itertools

import numpy as np

from common import CHUNKS, DRLE, ROOT, frames
from hdf5 import MANDATORY, Hdf5, Hdf5Error, library_path


def refusal(dtype="<i2", chunks=CHUNKS, number=DRLE, values=(1,), flags=MANDATORY, value=None, before=(), path=None):
    """What h5py's exception says when a dataset cannot be made or written; None when it can.

    `value` is given to pixel 17 of frame 1. `before` are filters that stand before this one.
    """
    import h5py

    # Without a chunk cache a chunk is written when it is given, and not at some later time.
    with h5py.File(path or "refusal.h5", "w", driver=None if path else "core", rdcc_nbytes=0,
                   **({} if path else {"backing_store": False})) as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        if chunks:
            plist.set_chunk(tuple(chunks))
        for other in before:
            {2: plist.set_shuffle, 3: plist.set_fletcher32, 1: lambda: plist.set_deflate(1)}[other]()
        datatype = h5py.h5t.py_create(np.dtype(dtype), logical=True)
        shape = tuple(2 * n for n in chunks or CHUNKS)
        data = np.zeros(shape, dtype)
        if value is not None:
            data.reshape(shape[0], -1)[1, 17] = value
        try:
            plist.set_filter(number, flags, tuple(values))
            dataset = h5py.Dataset(h5py.h5d.create(file.id, b"frames", datatype, h5py.h5s.create_simple(shape), plist))
            dataset[...] = data
            file.flush()
        except Exception as error:
            return str(error)
        assert np.array_equal(dataset[...], data), "other frames are read than were written"
        return None


def chunk_masks(path):
    """The filter mask of each chunk."""
    import h5py

    with h5py.File(path, "r") as file:
        dataset = file["frames"].id
        return [dataset.get_chunk_info(index).filter_mask for index in range(dataset.get_num_chunks())]


DEBIAN = "/usr/lib/x86_64-linux-gnu/libhdf5_serial.so.103"


def library(host):
    return Hdf5(DEBIAN) if host == "debian" else Hdf5.of(host)


def too_bright():
    """Frames that DRLE's bare stream cannot hold."""
    data = frames(dtype="<u2")
    data[1, 0, 17] = 40000
    return data


def damaged(path):
    """A file with one dataset whose first chunk has lost its end, written past the filter."""
    import h5py

    data = frames(dtype="<u2")
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("frames", data=data, chunks=CHUNKS, compression=DRLE, compression_opts=(1,))
        file.flush()
        mask, chunk = dataset.id.read_direct_chunk((0, 0, 0))
        dataset.id.write_direct_chunk((0, 0, 0), chunk[: len(chunk) // 2], mask)


def error_stacks(host, path):
    """The error stack, innermost entry first, of a library whose calls fail in one of our filters."""
    damaged(path)
    hdf5 = library(host)
    stacks = {}
    file = hdf5.create_file(str(path) + "-2")
    for name, values, data in [("set_local", (0,), frames()), ("write", (1, 1), too_bright())]:
        try:
            dataset = hdf5.create(file, name, data.shape, CHUNKS, data.dtype, [(DRLE, MANDATORY, values)])
            hdf5.call("H5Dwrite", dataset, hdf5.datatype(data.dtype), 0, 0, 0, data.ctypes.data)
            hdf5.call("H5Fflush", file, 0)
        except Hdf5Error as error:
            stacks[name] = error.stack
    try:
        hdf5.read(path, "frames", "<u2")
    except Hdf5Error as error:
        stacks["read"] = error.stack
    # An optional filter that fails is no error, and leaves none.
    data = too_bright()
    dataset = hdf5.create(file, "optional", data.shape, CHUNKS, data.dtype, [(DRLE, 1, (1, 1))])
    hdf5.call("H5Dwrite", dataset, hdf5.datatype(data.dtype), 0, 0, 0, data.ctypes.data)
    hdf5.lib.H5Dclose(dataset)
    stacks["left over"] = hdf5.error_stack()
    return stacks


def refusal_of_tables(path):
    """What PyTables' exception says."""
    import tables

    hdf5 = Hdf5.of("tables")
    file = hdf5.create_file(path)
    data = too_bright()
    hdf5.lib.H5Dclose(hdf5.create(file, "frames", data.shape, CHUNKS, data.dtype, [(DRLE, MANDATORY, (1, 1))]))
    hdf5.close_file(file)
    file = tables.open_file(path, "a", CHUNK_CACHE_SIZE=0)
    try:
        file.root.frames[...] = data
        file.flush()
    except tables.HDF5ExtError as error:
        return f"{error} {error.h5backtrace}"


def elements(dtype, length):
    """Half-random elements: as bytes, so that every element size has the same kind of content."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(length)
    numbers = np.zeros((length, dtype.itemsize), np.uint8)
    numbers[:, 0] = rng.integers(0, 30, length)
    numbers[: length // 2, -1] = rng.integers(0, 256, length // 2)
    return numbers.reshape(-1).view(dtype)


def use_plugins_of(who):
    """Ours are found by themselves; hdf5plugin's are registered by their import."""
    if who == "theirs":
        import hdf5plugin  # noqa: F401


def exchange_write(who, path, cases, sizes, pairs, lengths):
    """Writes a dataset for each pair of case and element size, and each length; what failed, by name."""
    use_plugins_of(who)
    import h5py

    failed = {}
    with h5py.File(path, "w") as file:
        for (label, size), length in itertools.product(pairs, lengths):
            number, values = cases[label]
            name, dtype = f"{label} {size} {length}", sizes[str(size)]
            try:
                data = elements(dtype, length)
                options = dict(compression=number, compression_opts=tuple(values), chunks=(length,))
                dataset = file.create_dataset(name, data=data, **options)
                dataset.attrs["dtype"] = dtype
                # Theirs leaves chunks as they are; what it does is not on trial.
                if who == "ours" and not is_encoded(dataset):
                    failed[name] = "the chunk was stored raw"
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"
    return failed


def is_encoded(dataset):
    return dataset.id.get_chunk_info(0).filter_mask == 0


def exchange_read(who, path):
    """Reads and compares all datasets; the outcome of each, by name."""
    use_plugins_of(who)
    import h5py

    outcomes = {}
    with h5py.File(path, "r") as file:
        for name, dataset in file.items():
            try:
                same = dataset[:].tobytes() == elements(dataset.attrs["dtype"], dataset.size).tobytes()
                outcomes[name] = "ok" if same else "other values"
            except Exception as error:
                outcomes[name] = f"{type(error).__name__}: {error}"
    return outcomes


def write_shifted(path):
    """A file made by hdf5plugin in which one dataset has another's creation properties. Returns what is stored."""
    import h5py
    import hdf5plugin

    data = frames()
    with h5py.File(path, "w") as file:
        first = file.create_dataset("first", data=data, chunks=CHUNKS, compression=hdf5plugin.Bitshuffle())
        plist, space = first.id.get_create_plist(), h5py.h5s.create_simple(data.shape)
        dataset = h5py.Dataset(h5py.h5d.create(file.id, b"frames", h5py.h5t.py_create(data.dtype), space, plist))
        dataset[...] = data
        number, _, values, _ = dataset.id.get_create_plist().get_filter(0)
        return number, values


def compare_with_frames(host, path):
    """One host reads `frames` of a file that someone else wrote."""
    import child

    return child.attempt(child.compare, host, path, frames())


def write_one(host, path, number, values):
    """One host writes `frames` with one filter."""
    import child

    return child.attempt(child.WRITE[host], path, number, values, frames())


def digests(path):
    """SHA-256 of every dataset that hdf5plugin's filters can read, by name."""
    import hashlib

    import h5py
    import hdf5plugin  # noqa: F401

    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = hashlib.sha256(item[:].tobytes()).hexdigest()

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def digest_of_host(host, path, dataset, dtype):
    """SHA-256 of one dataset as a host's own HDF5 reads it. No package is imported, none registers its filters."""
    import hashlib

    return hashlib.sha256(Hdf5(library_path(host)).read(path, dataset, dtype).tobytes()).hexdigest()


def netcdf_masked_frame(path):
    """Writes one frame to a variable that is there, of which the first ten rows are masked."""
    import netCDF4

    with netCDF4.Dataset(path, "a") as file:
        frame = np.ma.masked_array(np.full(CHUNKS[1:], 100, "i2"), mask=False)
        frame[:10] = np.ma.masked
        file["frames"][0] = frame


def netcdf_masked(path):
    """Makes a variable without a filter, of which nobody sets a fill value, and writes one frame with masked pixels."""
    import netCDF4

    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip("tyx", CHUNKS):
            file.createDimension(name, size)
        file.createVariable("frames", "i2", tuple("tyx"), chunksizes=CHUNKS)
    netcdf_masked_frame(path)


def plugin_folder_of_netcdf():
    """Where netCDF4 looks for plugins where nobody has said so."""
    import os

    import netCDF4  # noqa: F401

    return os.environ.get("HDF5_PLUGIN_PATH")


def filters_of_netcdf(path):
    import netCDF4

    with netCDF4.Dataset(path) as file:
        return file["frames"].filters()


def copy_with_netcdf(path, copy):
    """Copies `frames` with the compression that netCDF4 says it has, as xarray does. Returns what came of it."""
    import netCDF4

    with netCDF4.Dataset(path) as file, netCDF4.Dataset(copy, "w") as other:
        variable = file["frames"]
        found = variable.filters()
        names = [other.createDimension(name, size).name for name, size in zip("tyx", variable.shape)]
        options = dict(chunksizes=variable.chunking(), complevel=found["complevel"], fill_value=False)
        if found["zstd"]:
            options |= dict(compression="zstd")
        elif found["blosc"]:
            blosc = found["blosc"]
            options |= dict(compression=blosc["compressor"], blosc_shuffle=blosc["shuffle"])
        other.createVariable("frames", variable.dtype, names, **options)[:] = variable[:]
    import h5py

    with h5py.File(copy) as file:
        stored = file["frames"].id.get_storage_size()
    return {"outcome": compare_with_frames("netCDF4", copy), "stored": stored}


def read_old_arrays(host, path):
    """One HDF5 reads what PyTables 3.8 wrote; the outcome of each array, by name. No package is imported."""
    import sys

    sys.path.insert(0, str(ROOT / "tests/data/pytables"))
    import make

    import child

    hdf5 = Hdf5(DEBIAN if host == "debian" else library_path(host))

    def read(name, dtype):
        return None if np.array_equal(hdf5.read(path, name, dtype), make.frames(dtype)) else "other values"

    return {name: child.attempt(read, name, dtype) for name, (_, _, dtype) in make.names().items()}


def read_with_each(hosts, path, datasets, n_frames=len(frames())):
    """Several HDF5 libraries read the frames of a file; what came of each, by host and dataset. No package is imported."""
    import child

    libraries = {host: Hdf5(DEBIAN if host == "debian" else library_path(host)) for host in hosts}

    def read(host, dataset):
        found = libraries[host].read(path, dataset, "<i2")
        return None if np.array_equal(found, frames(n_frames)) else "other frames"

    return {f"{host} {dataset}": child.attempt(read, host, dataset) for host in hosts for dataset in datasets}


def set_path_after_import(host, path, folder):
    """A host is imported, then told where plugins are, then reads `frames`."""
    import os

    __import__(host)
    os.environ["HDF5_PLUGIN_PATH"] = folder
    return compare_with_frames(host, path)


def default_plugin_folders(host):
    """Where an HDF5 looks for plugins where nobody has said so. netCDF sets that when it opens its first file."""
    import ctypes
    import importlib

    if host == "netCDF4":
        importlib.import_module(host).Dataset("none.nc", "w", diskless=True).close()
    library = Hdf5(DEBIAN if host == "debian" else library_path(host)).lib
    n_folders, found = ctypes.c_uint(), []
    assert library.H5PLsize(ctypes.byref(n_folders)) >= 0
    for index in range(n_folders.value):
        text = ctypes.create_string_buffer(4096)
        assert library.H5PLget(index, text, ctypes.c_size_t(len(text))) >= 0
        found.append(text.value.decode())
    return found
