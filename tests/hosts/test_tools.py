"""HDF5's and netCDF's own tools, unchanged, with our plugins. Debian's are of HDF5 1.10."""

import h5py
import numpy as np
import pytest

from common import BLOSC, CHUNKS, CONFIGS, DRLE, child, frames, tool


def write(path, label, data=None):
    number, values = CONFIGS[label]
    with h5py.File(path, "w") as file:
        options = dict(chunks=CHUNKS, compression=number, compression_opts=values)
        file.create_dataset("frames", data=frames() if data is None else data, **options)


def read(path):
    with h5py.File(path, "r") as file:
        plist = file["frames"].id.get_create_plist()
        return file["frames"][:], [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]


@pytest.fixture(params=CONFIGS)
def label(request):
    return request.param


def test_h5repack_packs_with_our_filters(tmp_path, label):
    number, values = CONFIGS[label]
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file.create_dataset("frames", data=frames(), chunks=CHUNKS)
    parameters = ",".join(map(str, [number, 0, len(values), *values]))
    done = tool("h5repack", "-f", f"frames:UD={parameters}", tmp_path / "plain.h5", tmp_path / "packed.h5")
    assert done.returncode == 0, done.stderr
    data, filters = read(tmp_path / "packed.h5")
    assert filters == [number] and np.array_equal(data, frames())


def test_h5repack_unpacks_our_filters(tmp_path, label):
    write(tmp_path / "packed.h5", label)
    done = tool("h5repack", "-f", "NONE", tmp_path / "packed.h5", tmp_path / "plain.h5")
    assert done.returncode == 0, done.stderr
    data, filters = read(tmp_path / "plain.h5")
    assert filters == [] and np.array_equal(data, frames())


def test_h5repack_keeps_our_filters_with_other_chunks(tmp_path, label):
    write(tmp_path / "packed.h5", label)
    done = tool("h5repack", "-l", "frames:CHUNK=5x20x47", tmp_path / "packed.h5", tmp_path / "again.h5")
    assert done.returncode == 0, done.stderr
    data, filters = read(tmp_path / "again.h5")
    assert filters == [CONFIGS[label][0]] and np.array_equal(data, frames())


def test_h5ls_and_h5dump_name_the_filter_and_where_its_format_is_described(tmp_path, label):
    write(tmp_path / "packed.h5", label)
    number = CONFIGS[label][0]
    with h5py.File(tmp_path / "packed.h5") as file:
        name = file["frames"].id.get_create_plist().get_filter(0)[3].decode()
    # PyTables knows Blosc by exactly this name.
    assert name == "blosc" if number == BLOSC else name.endswith("see darkchunk, docs/format.md") and len(name) < 64
    # Without plugins: the name is in the file.
    listed = tool("h5ls", "-v", tmp_path / "packed.h5", plugin_path="/nonexistent").stdout
    assert name in listed and str(number) in listed
    dumped = tool("h5dump", "-p", "-H", tmp_path / "packed.h5", plugin_path="/nonexistent").stdout
    assert f"COMMENT {name}" in dumped and f"FILTER_ID {number}" in dumped


def test_pytables_knows_our_blosc_as_its_own(tmp_path):
    import tables

    write(tmp_path / "packed.h5", "blosc-zstd-byte")
    with tables.open_file(tmp_path / "packed.h5") as file:
        filters = file.root.frames.filters
        assert (filters.complib, filters.complevel, filters.shuffle) == ("blosc:zstd", 5, True)


def test_ncdump_reads_what_netcdf_wrote(tmp_path, label):
    path = tmp_path / "frames.nc"
    number, values = CONFIGS[label]
    assert child("write_one", host="netCDF4", path=path, number=number, values=values) == "ok"
    done = tool("ncdump", "-v", "frames", path)
    assert done.returncode == 0, done.stderr
    text = done.stdout.split("frames =")[1].replace(";", "").replace("}", "")
    assert np.array_equal([int(word) for word in text.split(",")], frames().ravel())


def test_a_filter_may_follow_drle(tmp_path):
    """Zstd compresses what DRLE leaves: both are ours, and every tool reads them."""
    path, plain = tmp_path / "both.h5", tmp_path / "plain.h5"
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(CHUNKS)
    plist.set_filter(DRLE, h5py.h5z.FLAG_MANDATORY, (1,))
    plist.set_filter(CONFIGS["zstd"][0], h5py.h5z.FLAG_MANDATORY, (3,))
    plist.set_fletcher32()
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple(frames().shape)
        dataset = h5py.h5d.create(file.id, b"frames", h5py.h5t.STD_I16LE, space, plist)
        h5py.Dataset(dataset)[...] = frames()
        stored = dataset.get_create_plist()
        assert stored.get_filter(0)[2][-1] == 12408 and stored.get_filter(1)[2] == (3,)
    assert tool("h5repack", "-f", "NONE", path, plain).returncode == 0
    assert np.array_equal(read(plain)[0], frames()) and np.array_equal(read(path)[0], frames())


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", ">u2"])
def test_every_order_and_sign_of_pixels_is_stored_as_it_is(tmp_path, dtype):
    data = frames(dtype=dtype)
    write(tmp_path / "file.h5", "drle", data)
    found = read(tmp_path / "file.h5")[0]
    assert found.dtype == data.dtype and np.array_equal(found, data)
    raw = tmp_path / "raw"
    assert tool("h5dump", "-d", "/frames", "-b", "FILE", "-o", raw, tmp_path / "file.h5").returncode == 0
    assert raw.read_bytes() == data.tobytes()
