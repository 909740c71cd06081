"""dask reads in pieces what one reader reads whole: threads that share a dataset, processes that get it pickled."""

import h5py
import numpy as np
import pytest
from support import frames

import darkchunk

array = pytest.importorskip("dask.array", reason="dask is not installed: `cargo xtask prove wheel` installs it")
SHAPE = (24, 65, 47)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
@pytest.mark.parametrize("filter", [darkchunk.DRLE(threshold=1), darkchunk.Bitshuffle(), None], ids=repr)
def test_dask_computes_what_numpy_does(tmp_path, scheduler, filter):
    images = frames("<u2", SHAPE)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=images, chunks=(2, 65, 47), compression=filter)
    with darkchunk.open(tmp_path / "a.h5", "a", threads=2) as dataset:
        lazy = array.from_array(dataset, chunks=(5, 32, 47), lock=False)
        found = (lazy.sum(axis=0, dtype="i8"), lazy.max(axis=(1, 2)), lazy[::3, 7])
        sums, largest, rows = array.compute(*found, scheduler=scheduler, num_workers=4)
    assert np.array_equal(sums, images.sum(axis=0, dtype="i8"))
    assert np.array_equal(largest, images.max(axis=(1, 2)))
    assert np.array_equal(rows, images[::3, 7])
