"""What `filters/README.md` says of the hosts, tried: forms of `HDF5_PLUGIN_PATH`, when it is read, DRLE and the chunk cache."""

import platform
import re
import shutil
import subprocess

import h5py
import numpy as np
import pytest

from common import BLOSC, CHUNKS, COMPRESSORS, DRLE, NAMES, PLUGINS, ROOT, child, frames, tool

HOSTS = ["h5py", "tables", "netCDF4"]
README = (ROOT / "filters" / "README.md").read_text()


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("frames", data=frames(), chunks=CHUNKS, compression=DRLE, compression_opts=(1,))
    return tmp_path / "file.h5"


FORMS = {
    "slash": "{ours}/",
    "space": "{space}",
    "ours first": "{ours}:{other}",
    "ours first, then none": "{ours}:/nonexistent",
    "other first": "{other}:{ours}",
}


@pytest.mark.parametrize("form", FORMS)
def test_these_forms_of_the_path_lead_every_host_to_our_plugins(path, tmp_path, form):
    other, space = tmp_path / "other", tmp_path / "with a space"
    other.mkdir()
    shutil.copytree(PLUGINS, space)
    plugin_path = FORMS[form].format(ours=PLUGINS, other=other, space=space)
    for host in HOSTS:
        assert child("compare_with_frames", host=host, path=path, plugin_path=plugin_path) == "ok", host
    assert "(0,0,0)" in tool("h5dump", "-d", "/frames", path, plugin_path=plugin_path).stdout
    assert tool("ncdump", "-v", "frames", path, plugin_path=plugin_path).returncode == 0


@pytest.mark.parametrize("host", HOSTS)
def test_when_a_host_reads_the_variable(path, host):
    """h5py at the first use of a plugin; the others when they are imported."""
    found = child("set_path_after_import", host=host, path=path, folder=PLUGINS, plugin_path="/nonexistent")
    assert (found == "ok") == (host == "h5py"), found


def test_drle_shows_its_loss_when_the_chunk_has_left_the_cache(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        data = np.full((1, 8, 8), 7, "<u2")
        dataset = file.create_dataset("frames", data=data, chunks=(1, 8, 8), compression=DRLE, compression_opts=(20,))
        assert dataset[0, 0, 0] == 7
    with h5py.File(tmp_path / "file.h5") as file:
        assert file["frames"][0, 0, 0] == 0


@pytest.mark.parametrize("host, name", [*zip(HOSTS, ["h5py's wheel", "PyTables' wheel", "netCDF4's wheel"]), ("debian", "Debian's")])
def test_the_default_folders_are_those_that_are_named(host, name):
    found = child("default_plugin_folders", host=host, plugin_path=None)
    (row,) = (line for line in README.splitlines() if line.lstrip().startswith(f"| {name}"))
    assert found and re.findall("`(/[^`]*)`", row) == list(dict.fromkeys(found))


def test_which_compressors_of_blosc_pytables_lacks(tmp_path):
    found = {}
    for compressor, name in enumerate(COMPRESSORS):
        path = tmp_path / f"{name}.h5"
        options = dict(chunks=CHUNKS, compression=BLOSC, compression_opts=(0, 0, 0, 0, 5, 1, compressor))
        with h5py.File(path, "w") as file:
            file.create_dataset("frames", data=frames(), **options)
        found[name] = child("compare_with_frames", host="tables", path=path) == "ok"
    assert [name for name in found if not found[name]] == ["snappy"]


@pytest.mark.skipif(platform.freedesktop_os_release().get("VERSION_ID") != "12", reason="the note is of Debian 12")
def test_the_glibc_that_the_plugins_need_is_the_one_that_is_named():
    needed = set()
    for name in NAMES:
        symbols = subprocess.run(["readelf", "-V", PLUGINS / f"lib{name}.so"], capture_output=True, text=True, check=True)
        needed |= {tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_([0-9.]+)", symbols.stdout)}
    (named,) = re.findall(r"Debian 12,\s+glibc (\d+\.\d+)", README)
    assert max(needed) <= tuple(map(int, named.split(".")))
