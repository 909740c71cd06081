"""What is no measurement stays as it is with DRLE: masked pixels of a detector, and a dataset's fill value."""

import hashlib

import h5py
import numpy as np
import pytest

from common import CHUNKS, DRLE, HOSTS, child, frames, tool

# netCDF's fill value of int16, which a variable has where nobody set one.
NETCDF_FILL = -32767


def stored(path, name="frames"):
    """Parameters, and for each chunk its filter mask and its container's version."""
    with h5py.File(path) as file:
        dataset = file[name]
        values = dataset.id.get_create_plist().get_filter(0)[2]
        chunks = [dataset.id.get_chunk_info(index) for index in range(dataset.id.get_num_chunks())]
        versions = [dataset.id.read_direct_chunk(chunk.chunk_offset)[1][4] for chunk in chunks]
        return values, [chunk.filter_mask for chunk in chunks], versions


def masked_frames(dtype="<u2"):
    """Frames with a gap of columns, and one pixel above 32767; the last four have neither."""
    data = frames(n_frames=8, dtype=dtype)
    data[:4, :, 20:24] = 65535
    data[1, 3, 4] = 40000
    return data


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
@pytest.mark.parametrize("threshold", [1, 50])
def test_masked_pixels_and_bright_ones_are_kept(tmp_path, dtype, threshold):
    data = masked_frames(dtype)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("frames", data=data, chunks=CHUNKS, compression=DRLE, compression_opts=(threshold,))
    with h5py.File(tmp_path / "file.h5") as file:
        assert np.array_equal(file["frames"][:], np.where(data < threshold, 0, data))
    values, masks, versions = stored(tmp_path / "file.h5")
    assert (values[3], masks, versions) == (1, [0, 0], [2, 1]), "chunks without any are as they were"


@pytest.mark.parametrize("host", HOSTS)
def test_every_host_reads_them(tmp_path, host):
    data = masked_frames()
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("frames", data=data, chunks=CHUNKS, compression=DRLE, compression_opts=(1,))
    shown = child("digest_of_host", host=host, path=tmp_path / "file.h5", dataset="frames", dtype="<u2")
    assert shown == hashlib.sha256(data.tobytes()).hexdigest()


@pytest.mark.parametrize("dtype, named", [("<u2", [60000, 9]), ("<i2", [-1, -7]), (">i2", [-32768, 3])])
def test_named_sentinels_are_kept_whatever_the_threshold(tmp_path, dtype, named):
    data = frames(n_frames=4, dtype=dtype)
    data[:, 5, :] = named[0]
    data[2, 8, 3:9] = named[1]
    given = (100, 0, 0, 2, 0, 0, 0, 0, 2, *(value % 2**32 for value in named))
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("frames", data=data, chunks=CHUNKS, compression=DRLE, compression_opts=given)
    with h5py.File(tmp_path / "file.h5") as file:
        is_kept = (data >= 100) | np.isin(data, named)
        assert np.array_equal(file["frames"][:], np.where(is_kept, data, 0))
    values, masks, _ = stored(tmp_path / "file.h5")
    assert (values[3], values[7], values[8]) == (2, 0, 2) and masks == [0]
    assert list(values[9:]) == [value % 2**16 for value in named]


@pytest.mark.parametrize("fill", [-1, NETCDF_FILL, 7])
@pytest.mark.parametrize("dtype", ["<i2", ">i2"])
def test_a_fill_value_below_the_threshold_is_kept_in_every_chunk(tmp_path, dtype, fill):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        dataset = file.create_dataset("frames", (10, *CHUNKS[1:]), dtype, chunks=CHUNKS, compression=DRLE,
                                      compression_opts=(50,), fillvalue=fill)
        dataset[0] = 100
        dataset[1, :5] = 9
    with h5py.File(tmp_path / "file.h5") as file:
        found = file["frames"][:]
    assert (found[0] == 100).all() and (found[1, :5] == 0).all(), "what is dark and no fill value"
    assert (found[1, 5:] == fill).all() and (found[2:] == fill).all()


def test_a_fill_value_that_nothing_happens_to_changes_nothing(tmp_path):
    for fill in [0, 50, 32767]:
        with h5py.File(tmp_path / f"{fill}.h5", "w") as file:
            file.create_dataset("frames", data=frames(n_frames=4), chunks=CHUNKS, compression=DRLE,
                                compression_opts=(50,), fillvalue=fill)
        values, _, versions = stored(tmp_path / f"{fill}.h5")
        assert (len(values), values[3], versions) == (7, 1, [1])


def run(*command):
    done = tool(*command)
    assert done.returncode == 0, done.stderr


def test_netcdfs_own_fill_value_is_kept_where_nobody_set_one(tmp_path):
    """`ncgen` makes the variable with DRLE; what is written to it later is one frame with masked pixels."""
    cdl = tmp_path / "file.cdl"
    cdl.write_text("""netcdf file {
dimensions: t = 8; y = 33; x = 47;
variables: short frames(t, y, x);
    frames:_ChunkSizes = 4, 33, 47;
    frames:_Filter = "36114,50";
}
""")
    run("ncgen", "-4", "-o", tmp_path / "file.nc", cdl)
    child("netcdf_masked_frame", path=tmp_path / "file.nc")
    values, masks, versions = stored(tmp_path / "file.nc")
    assert (values[3], values[7], masks, versions) == (2, NETCDF_FILL % 2**16, [0], [2])
    with h5py.File(tmp_path / "file.nc") as file:
        found = file["frames"][:]
    assert (found[0, 10:] == 100).all() and (found[0, :10] == NETCDF_FILL).all() and (found[1:] == NETCDF_FILL).all()


def test_nccopy_keeps_masked_values_that_are_named(tmp_path):
    """The variables of its copies have no fill value, so that the plugin cannot know it."""
    child("netcdf_masked", path=tmp_path / "masked.nc")
    for name, spec, is_kept in [
        ("named", f"frames,36114,1,0,0,2,0,0,0,0,1,{NETCDF_FILL % 2**16}", True), ("not", "frames,36114,1", False)
    ]:
        run("nccopy", "-F", spec, tmp_path / "masked.nc", tmp_path / f"{name}.nc")
        with h5py.File(tmp_path / f"{name}.nc") as file:
            assert (file["frames"][0] == NETCDF_FILL).any() == is_kept


def test_h5repack_makes_sentinels_of_the_fill_value_of_the_dataset_that_it_makes(tmp_path):
    data = frames(n_frames=4)
    data[:, 3] = -1
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file.create_dataset("frames", data=data, chunks=CHUNKS, fillvalue=-1)
    run("h5repack", "-f", "UD=36114,0,1,50", tmp_path / "plain.h5", tmp_path / "packed.h5")
    assert stored(tmp_path / "packed.h5")[0][7] == 65535
    run("h5repack", "-l", "CHUNK=2x33x47", tmp_path / "packed.h5", tmp_path / "again.h5")
    with h5py.File(tmp_path / "again.h5") as file:
        assert np.array_equal(file["frames"][:], np.where((data < 50) & (data != -1), 0, data))
    assert stored(tmp_path / "again.h5")[0][:9] == (50, 0, 0, 2, 1, 33 * 47, 2 * 2 * 33 * 47, 65535, 0)
