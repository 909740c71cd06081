"""The plugins and the C library as files: what they need, and what they show."""

import os
import subprocess
import tomllib

import pytest

from common import NAMES, PLUGINS, ROOT

EXPORTS = ["H5PLget_plugin_info", "H5PLget_plugin_type"]


def lines(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_folder_holds_the_plugins_and_nothing_else():
    assert sorted(os.listdir(PLUGINS)) == sorted(f"lib{name}.so" for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_no_hdf5_is_linked(name):
    needed = lines("ldd", PLUGINS / f"lib{name}.so")
    assert needed and not [line for line in needed if "hdf5" in line.lower()]


@pytest.mark.parametrize("name", NAMES)
def test_only_the_two_functions_that_hdf5_looks_for_are_exported(name):
    symbols = lines("nm", "-D", "--defined-only", PLUGINS / f"lib{name}.so")
    assert [line.split()[-1] for line in symbols] == EXPORTS


@pytest.mark.parametrize("name", NAMES)
def test_strings_shows_which_version_a_library_is(name):
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert f"darkchunk {version}, HDF5 plugin {name}" in lines("strings", PLUGINS / f"lib{name}.so")


@pytest.mark.parametrize("name", NAMES)
def test_the_library_stays_loaded(name):
    assert any("NODELETE" in line for line in lines("readelf", "-d", PLUGINS / f"lib{name}.so"))


def test_the_c_library_links_no_hdf5_and_exports_its_own_functions_only():
    library = PLUGINS.parent / "lib" / "libdarkchunk.so"
    needed = lines("ldd", library)
    assert needed and not [line for line in needed if "hdf5" in line.lower()]
    symbols = [line.split()[-1] for line in lines("nm", "-D", "--defined-only", library)]
    assert "dc_encode_chunk" in symbols and not [name for name in symbols if not name.startswith("dc_")]
