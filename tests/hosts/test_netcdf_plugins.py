"""netCDF4 with the plugins of its own wheel reads our Zstd and Blosc, and a copy keeps their compression."""

import h5py
import pytest

from common import BLOSC, CHUNKS, COMPRESSORS, HERE, NETCDF, SHUFFLES, ZSTD, child, frames

OWN = NETCDF / "netCDF4" / "plugins"
# netCDF has plugins of Zstd and Blosc; its Blosc is built without Snappy.
BLOSCS = [("blosclz", 1), ("lz4", 0), ("lz4", 1), ("lz4", 2), ("lz4hc", 1), ("zlib", 1), ("zstd", 1)]
CONFIGS = {"zstd": (ZSTD, (3,)), "zstd-default": (ZSTD, ())} | {
    f"blosc-{name}-{SHUFFLES[shuffle]}": (BLOSC, (0, 0, 0, 0, 5, shuffle, COMPRESSORS.index(name)))
    for name, shuffle in BLOSCS
}
N_BYTES = frames().nbytes


@pytest.fixture(autouse=True)
def _wheel():
    if not OWN.is_dir():
        pytest.skip(f"no netCDF4 with its own plugins in {NETCDF}: `cargo xtask test` installs it")


def with_own_plugins(action, **arguments):
    return child(action, plugin_path=None, env={"PYTHONPATH": f"{NETCDF}:{HERE}"}, **arguments)


@pytest.fixture(params=CONFIGS)
def path(request, tmp_path):
    number, values = CONFIGS[request.param]
    options = dict(chunks=CHUNKS, compression=number, compression_opts=values)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        dataset = file.create_dataset("frames", data=frames(), **options)
        for axis, name in enumerate("tyx"):
            scale = file.create_dataset(name, data=range(dataset.shape[axis]))
            scale.make_scale(name)
            dataset.dims[axis].attach_scale(scale)
    return tmp_path / "file.h5"


def test_the_plugins_are_the_wheels_own():
    assert with_own_plugins("plugin_folder_of_netcdf") == str(OWN)


def test_what_we_write_is_read(path):
    assert with_own_plugins("compare_with_frames", host="netCDF4", path=path) == "ok"


def test_netcdf_knows_what_our_compression_is(path):
    """What xarray and others copy a variable's compression from."""
    own, ours = (call("filters_of_netcdf", path=path) for call in [with_own_plugins, child])
    with h5py.File(path) as file:
        number = file["frames"].id.get_create_plist().get_filter(0)[0]
    assert own == ours and bool(own["zstd"]) == (number == ZSTD) and bool(own["blosc"]) == (number == BLOSC), own


@pytest.mark.parametrize("call", [with_own_plugins, child], ids=["own", "ours"])
def test_a_copy_by_what_netcdf_knows_stays_compressed(path, tmp_path, call):
    found = call("copy_with_netcdf", path=path, copy=tmp_path / "copy.nc")
    assert found["outcome"] == "ok" and found["stored"] < N_BYTES / 3, found
