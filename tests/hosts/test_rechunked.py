"""Files that Debian's `h5repack` and `nccopy` have cut into other chunks, with our plugins, with hdf5plugin's, and with none.

Other plugins leave parameters as they were, so the chunk's size in them is that of the old chunks.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest

from common import BOUNDED, CHUNKS, CONFIGS, DRLE, PLUGINS, child, frames, tool

THEIRS = Path(find_spec("hdf5plugin").submodule_search_locations[0]) / "plugins"
# nccopy leaves a dataset as it is where the new chunks would have less than 8 KiB.
OTHER = [(5, 20, 47), (3, 33, 47), (10, 33, 47)]
HOSTS = ["h5py", "netCDF4", "debian"]
LABELS = {"ours": list(CONFIGS), "theirs": [label for label, (number, _) in CONFIGS.items() if number not in (DRLE, BOUNDED)]}
PLUGINS_OF = {"ours": PLUGINS, "theirs": THEIRS}


def write(path, *labels):
    with h5py.File(path, "w") as file:
        for label in labels:
            number, values = CONFIGS[label]
            options = dict(chunks=CHUNKS, compression=number, compression_opts=values)
            file.create_dataset(label, data=frames(), **options)


def repack(path, copy, chunks, plugins):
    return tool("h5repack", "-l", f"CHUNK={'x'.join(map(str, chunks))}", path, copy, plugin_path=plugins)


def nccopy(path, copy, chunks, plugins):
    sizes = ",".join(f"phony_dim_{axis}/{size}" for axis, size in enumerate(chunks))
    return tool("nccopy", "-c", sizes, path, copy, plugin_path=plugins)


RECHUNK = {"h5repack": repack, "nccopy": nccopy}


@pytest.fixture(scope="module")
def rechunked(tmp_path_factory):
    """The file that a program has made with one set of plugins, with a dataset for each filter that it has."""
    folder = tmp_path_factory.mktemp("rechunked")

    @cache
    def made(program, who, chunks):
        path, copy = folder / f"{who}.h5", folder / f"{program}-{who}-{chunks[0]}.h5"
        write(path, *LABELS[who])
        done = RECHUNK[program](path, copy, chunks, PLUGINS_OF[who])
        assert done.returncode == 0, done.stderr
        return copy

    return made


@pytest.mark.parametrize("chunks", OTHER, ids=str)
@pytest.mark.parametrize("who", LABELS)
@pytest.mark.parametrize("program", RECHUNK)
def test_other_chunks_are_read(rechunked, program, who, chunks):
    copy = rechunked(program, who, chunks)
    with h5py.File(copy) as file:
        for label in LABELS[who]:
            dataset = file[label]
            filters = dataset.id.get_create_plist()
            assert dataset.chunks == chunks and filters.get_filter(0)[0] == CONFIGS[label][0], label
    found = child("read_with_each", hosts=HOSTS, path=copy, datasets=LABELS[who])
    assert set(found.values()) == {"ok"}, found


def test_h5repack_leaves_out_what_it_has_no_filter_for_and_ends_with_0(tmp_path):
    write(tmp_path / "file.h5", "drle", "lz4")
    done = repack(tmp_path / "file.h5", tmp_path / "copy.h5", OTHER[0], THEIRS)
    assert done.returncode == 0 and "</drle> cannot be read" in done.stdout + done.stderr
    with h5py.File(tmp_path / "copy.h5") as file:
        assert list(file) == ["lz4"]


def test_nccopy_fails_where_it_has_no_filter(tmp_path):
    write(tmp_path / "file.h5", "drle", "lz4")
    assert nccopy(tmp_path / "file.h5", tmp_path / "copy.h5", OTHER[0], THEIRS).returncode != 0


def test_h5repack_stores_a_type_that_a_filter_refuses_as_it_was_and_ends_with_0(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("pixels", data=frames(), chunks=CHUNKS)
        file.create_dataset("reals", data=frames(dtype="<f4"), chunks=CHUNKS)
    done = tool("h5repack", "-f", f"UD={DRLE},0,1,1", tmp_path / "file.h5", tmp_path / "copy.h5")
    assert done.returncode == 0
    with h5py.File(tmp_path / "copy.h5") as file:
        n_filters = {name: file[name].id.get_create_plist().get_nfilters() for name in file}
        assert n_filters == {"pixels": 1, "reals": 0}
        assert np.array_equal(file["reals"][...], frames(dtype="<f4"))
