"""`import darkchunk`, at any place in any order, and each host reads and writes all filters."""

import h5py
import numpy as np
import pytest
import support
from support import FILTERS, HOSTS, ORDERS, SHAPE, action, frames, sample

import darkchunk

BEFORE = ["nothing", "failed", "hdf5plugin before", "hdf5plugin after"]
CASES = sample([(order, before) for order in ORDERS for before in BEFORE], 8)
GIVEN = {repr(one): (one.filter_id, one.filter_options) for one in FILTERS}


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A file of each filter, and the frames in it."""
    folder = tmp_path_factory.mktemp("files")
    np.save(folder / "frames.npy", frames())
    for filter_class in darkchunk.get_filters():
        with h5py.File(folder / f"{filter_class.filter_name}.h5", "w") as file:
            dataset = file.create_dataset("frames", data=frames(), chunks=SHAPE, compression=filter_class())
            assert dataset.id.get_chunk_info(0).filter_mask == 0
            assert dataset.id.get_storage_size() < frames().nbytes / 2
    return folder


@pytest.mark.parametrize(
    ("order", "before"), CASES, ids=lambda value: value if isinstance(value, str) else "-".join(value)
)
def test_any_order_of_imports_is_right(files, tmp_path, order, before):
    paths = {name: files / f"{name}.h5" for name in darkchunk.FILTERS}
    outcomes = action(
        "all_hosts", order=order, before=before, folder=tmp_path, files=paths, filters=GIVEN, data=files / "frames.npy"
    )
    failed = {name: outcomes.pop(name) for name in list(outcomes) if name.endswith("failed")}
    assert set(outcomes.values()) == {"ok"}, outcomes
    assert len(outcomes) == len(HOSTS) * (len(paths) + len(GIVEN))
    n_before = order.index("darkchunk") if before == "failed" else 0
    assert len(failed) == n_before and all(text != "ok" for text in failed.values()), failed


def test_without_darkchunk_the_same_files_cannot_be_read(files):
    """So the tests above show what they say."""
    paths = {name: files / f"{name}.h5" for name in darkchunk.FILTERS}
    outcomes = action(
        "all_hosts",
        order=["h5py", "netCDF4"],
        before="nothing",
        folder=files,
        files=paths,
        filters={},
        data=files / "frames.npy",
    )
    assert all(text != "ok" for text in outcomes.values()), outcomes


NETCDF_ORDERS = [["darkchunk", "netCDF4"], ["netCDF4", "darkchunk"], ["h5py", "darkchunk", "netCDF4"]]
BLOSCS = ["blosc_lz", "blosc_lz4", "blosc_lz4hc", "blosc_zlib", "blosc_zstd"]


@pytest.mark.parametrize("order", NETCDF_ORDERS, ids="-".join)
def test_netcdf_compresses_with_our_plugins_where_it_has_none(tmp_path, order):
    found = action("netcdf_own_filters", order=order, path=tmp_path / "own.nc", names=["zlib", "zstd", *BLOSCS])
    check_netcdf(found)
    assert all(path.startswith(darkchunk.PLUGIN_PATH) for path in found["plugins"]), found["plugins"]


@pytest.mark.skipif(support.NETCDF is None, reason="no netCDF4 with plugins of its own: `cargo xtask test` has one")
@pytest.mark.parametrize("order", NETCDF_ORDERS, ids="-".join)
def test_netcdf_with_plugins_of_its_own_keeps_them(tmp_path, order):
    names = ["zlib", "zstd", "bzip2", *BLOSCS]
    found = action("netcdf_own_filters", order=order, path=tmp_path / "own.nc", names=names, own_netcdf=True)
    check_netcdf(found)
    folders = {path.rsplit("/", 1)[0] for path in found["plugins"]}
    assert darkchunk.PLUGIN_PATH in folders and any("netCDF4/plugins" in folder for folder in folders), folders


def check_netcdf(found):
    assert set(found["outcomes"].values()) == {"ok"}, found["outcomes"]
    assert all(found["same"].values()), found["same"]
    for name, said in found["said"].items():
        assert said[name.split("_")[0]], (name, said)


def test_the_import_loads_no_plugin_and_prints_nothing():
    code = "import h5py, darkchunk, host_child, json; print(json.dumps(host_child.plugins()))"
    done = support.python(code, PYTHONPATH=support.HERE)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


def test_auto_0_changes_nothing_and_register_does_it_then(files):
    code = """
import os, sys, h5py, darkchunk
def read():
    try:
        return int(h5py.File(sys.argv[1])["frames"][0].sum())
    except OSError as error:
        return None
before = (os.environ.get("HDF5_PLUGIN_PATH"), read())
done = darkchunk.register()
import json; print(json.dumps([before, [list(one) for one in done], read()]))
"""
    before, done, after = support.result(code, files / "drle.h5", DARKCHUNK_AUTO=0)
    assert before == [None, None] and after == frames()[0].sum()
    assert [one[0] for one in done] == ["h5py"] and done[0][1] == list(h5py.h5.get_libversion())


def test_the_users_folders_stay_and_no_element_is_empty():
    code = "import darkchunk, os, json; print(json.dumps(os.environ['HDF5_PLUGIN_PATH']))"
    found = support.result(code, HDF5_PLUGIN_PATH=":/there/is/none::/another:").split(":")
    assert found[0] == darkchunk.PLUGIN_PATH and found[1:][-2:] == ["/there/is/none", "/another"]
    again = support.result(code, HDF5_PLUGIN_PATH=f"/one:{darkchunk.PLUGIN_PATH}").split(":")
    assert again[:2] == ["/one", darkchunk.PLUGIN_PATH] and len(set(again)) == len(again)


def test_pytables_keeps_its_own_blosc_and_writes_with_it(tmp_path):
    code = """
import sys, json, numpy as np, tables, darkchunk
done = [one.what for one in darkchunk.register(force=True)]
data = np.arange(100000, dtype="i4").reshape(100, 1000)
with tables.open_file(sys.argv[1], "w") as file:
    for name in ("blosc", "blosc:zstd", "zlib"):
        file.create_carray("/", name.replace(":", "_"), obj=data, filters=tables.Filters(5, complib=name))
with tables.open_file(sys.argv[1]) as file:
    assert all((node[:] == data).all() for node in file.root)
for name in ("blosc", "blosc_zstd", "zlib"):
    with darkchunk.open(sys.argv[1], name) as dataset:
        assert dataset.way == "direct" and (dataset[...] == data).all()
print(json.dumps(done))
"""
    assert any("32001 stays with PyTables" in what for what in support.result(code, tmp_path / "file.h5"))


def test_force_takes_the_filters_over_from_hdf5plugin(files):
    code = """
import sys, json, hdf5plugin, h5py, darkchunk
before = darkchunk.get_config().registered_filters
with h5py.File(sys.argv[1]) as file:
    held = file["frames"]
    held[0]
    kept = [one.what for one in darkchunk.register("bshuf", force=True)]
darkchunk.register(force=True)
after = darkchunk.get_config().registered_filters
read = int(h5py.File(sys.argv[1])["frames"][0].sum())
print(json.dumps([before, kept, after, read, darkchunk.PLUGIN_PATH]))
"""
    before, kept, after, read, ours = support.result(code, files / "bshuf.h5")
    assert all("hdf5plugin" in path for name, path in before.items() if name not in ("drle", "bounded")), before
    assert len(before) == len(after) == 6 and all(path.startswith(ours) for path in after.values()), after
    assert "32008" in kept[0] and "open dataset" in kept[0], kept
    assert read == frames()[0].sum()
