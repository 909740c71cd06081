"""The plugins of this package as files: in its folder, linked to, copied."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from support import python

import darkchunk

NAME = "libh5lz4.so"
READ = "import sys, h5py; print(h5py.File(sys.argv[1])['data'][:].sum())"

pytestmark = pytest.mark.skipif(
    not (Path(darkchunk.PLUGIN_PATH) / "darkchunk.so").exists(), reason="each plugin has its own code"
)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "plugins"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "lz4.h5"
    with h5py.File(path, "w") as made:
        made.create_dataset("data", data=np.arange(5000, dtype=np.uint16), chunks=(5000,), compression=darkchunk.LZ4())
    return path


def read(path, folder):
    """In a process of its own, which knows of darkchunk by its search path alone."""
    return python(READ, path, HDF5_PLUGIN_PATH=folder)


def of_package() -> Path:
    return Path(darkchunk.PLUGIN_PATH)


def test_a_link_to_a_plugin_works(folder, file):
    (folder / NAME).symlink_to(of_package() / NAME)
    assert read(file, folder).stdout.split() == ["12497500"]


def test_a_copy_works_beside_the_library_alone(folder, file):
    shutil.copy(of_package() / NAME, folder)
    found = read(file, folder)
    assert found.returncode != 0 and "can't find plugin" in found.stderr, found.stderr
    shutil.copy(of_package() / "darkchunk.so", folder)
    assert read(file, folder).stdout.split() == ["12497500"]


def test_a_plugin_without_the_library_does_not_hide_those_that_follow(folder, file, tmp_path):
    shutil.copy(of_package() / NAME, folder)
    both = f"{folder}{os.pathsep}{of_package()}"
    assert read(file, both).stdout.split() == ["12497500"]


def test_installed_plugins_are_whole(folder, file):
    subprocess.run(
        [sys.executable, "-m", "darkchunk", "plugins", "install", "--to", str(folder)], check=True, capture_output=True
    )
    assert read(file, folder).stdout.split() == ["12497500"]
