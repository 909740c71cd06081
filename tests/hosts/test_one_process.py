"""`HDF5_PLUGIN_PATH` alone lets h5py, PyTables and netCDF4, in one process, write and read all filters."""

from itertools import permutations

import pytest

from common import CONFIGS, HOSTS, NAMES, PLUGINS, child, frames, tool

ORDERS = list(permutations(HOSTS))


@pytest.fixture(scope="session", params=ORDERS, ids="-".join)
def outcome(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return folder, child("one_process", order=request.param, folder=folder)


@pytest.mark.parametrize("then", ["write", *HOSTS])
@pytest.mark.parametrize("label", CONFIGS)
@pytest.mark.parametrize("writer", HOSTS)
def test_each_host_writes_and_each_reads(outcome, writer, label, then):
    assert outcome[1][f"{writer} {label} {then}"] == "ok"


def test_three_hdf5_and_only_our_plugins_were_in_that_process(outcome):
    names = [path.rsplit("/", 1)[1] for path in outcome[1]["loaded"]]
    assert len([name for name in names if name.startswith("libhdf5-")]) == 3, names
    plugins = [path for path in outcome[1]["loaded"] if "/libh5" in path]
    assert len(plugins) == len(NAMES) and all(path.startswith(str(PLUGINS)) for path in plugins), plugins


@pytest.mark.parametrize("reader", HOSTS)
def test_a_host_alone_reads_what_all_wrote(outcome, reader):
    results = child("read_everything", folder=outcome[0], reader=reader)
    assert set(results.values()) == {"ok"}, results


@pytest.mark.parametrize("label", CONFIGS)
def test_all_hosts_store_the_same_parameters(outcome, label):
    stored = {host: child_filters(outcome[0] / f"{host}-{label}.h5") for host in HOSTS}
    assert len(set(stored.values())) == 1, stored


@pytest.mark.parametrize("label", CONFIGS)
@pytest.mark.parametrize("writer", HOSTS)
def test_h5dump_reads_every_frame(outcome, tmp_path, writer, label):
    raw = tmp_path / "raw"
    done = tool("h5dump", "-d", "/frames", "-b", "LE", "-o", raw, outcome[0] / f"{writer}-{label}.h5")
    assert done.returncode == 0, done.stderr
    assert raw.read_bytes() == frames().tobytes()


def child_filters(path):
    import h5py

    with h5py.File(path, "r") as file:
        plist = file["frames"].id.get_create_plist()
        return tuple((number, values) for number, _, values, _ in map(plist.get_filter, range(plist.get_nfilters())))
