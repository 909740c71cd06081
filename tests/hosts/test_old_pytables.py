"""Files of PyTables up to 3.9.2 and of pandas on it, which have fletcher32 before Blosc. See ../data/pytables/make.py."""

import sys

import h5py
import numpy as np
import pytest

from common import BLOSC, HERE, ROOT, child

sys.path.insert(0, str(HERE.parent / "data" / "pytables"))

import make as old  # noqa: E402

FOLDER = ROOT / "tests" / "data" / "pytables"
# PyTables' own HDF5 takes a Blosc filter that is not ours.
HDF5 = ["h5py", "netCDF4", "debian"]
FLETCHER32 = 3


def filters(name):
    with h5py.File(FOLDER / "pytables-3.8.h5") as file:
        plist = file[name].id.get_create_plist()
        return [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]


@pytest.mark.parametrize("name", [*old.names(), "rows"])
def test_the_checksum_is_before_blosc(name):
    assert filters(name)[:2] == [FLETCHER32, BLOSC]


@pytest.mark.parametrize("host", HDF5)
def test_every_array_is_read(host):
    found = child("read_old_arrays", host=host, path=FOLDER / "pytables-3.8.h5")
    assert set(found.values()) == {"ok"} and len(found) == len(old.names()), found


def test_tables_are_read():
    rows = old.rows()
    with h5py.File(FOLDER / "pytables-3.8.h5") as file:
        assert np.array_equal(file["rows"][:], np.asarray(rows))
    with h5py.File(FOLDER / "pandas-2.0.h5") as file:
        table = file["rows/table"][:]
    assert np.array_equal(table["index"], rows.id)
    for block, name in enumerate(rows.dtype.names):
        assert np.array_equal(table[f"values_block_{block}"][:, 0], rows[name]), name
