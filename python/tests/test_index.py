"""Where the blocks of chunks are, in a file beside the dataset's: for readers in other processes."""

import pickle

import h5py
import numpy as np
import pytest

import darkchunk


@pytest.fixture
def eiger(tmp_path):
    """Frames as large as an EIGER's."""
    made = np.random.default_rng(4).poisson(0.4, (3, 1000, 1030)).astype("<u4")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=made, chunks=(1, 1000, 1030), compression=darkchunk.Bitshuffle())
        file.create_dataset("drle", data=made.astype("<u2"), chunks=(1, 1000, 1030), compression=darkchunk.DRLE())
        file["plain"] = made[:, :10]
    return path, made


def test_with_an_index_a_new_reader_reads_only_the_blocks_that_it_needs(eiger, tmp_path):
    path, made = eiger
    index = tmp_path / "a.blocks"
    with darkchunk.open(path, "a") as dataset:
        dataset.write_index(index)
        stored = dataset.stored_nbytes
    assert index.stat().st_size < stored / 50
    with darkchunk.open(path, "a", index=index, threads=2) as dataset:
        with pickle.loads(pickle.dumps(dataset)) as other:
            for opened in (dataset, other):
                assert (opened[:, 501] == made[:, 501]).all()
                found = opened.statistics
                assert (found.whole_chunks, found.partial_chunks) == (0, 3) and found.read_bytes < stored / 100
        dataset.refresh()
        assert dataset.load_index(index) == 3 and (dataset[:, 999] == made[:, 999]).all()
        assert dataset.statistics.whole_chunks == 0


def test_an_index_that_is_none_or_of_no_use_is_refused(eiger, tmp_path):
    path, _ = eiger
    with darkchunk.open(path, "drle") as dataset, pytest.raises(darkchunk.UnsupportedError, match="blocks"):
        dataset.write_index(tmp_path / "b.blocks")
    kept = path.read_bytes()
    with darkchunk.open(path, "a") as dataset, pytest.raises(darkchunk.Error, match="no index"):
        dataset.write_index(path)
    assert path.read_bytes() == kept
    with darkchunk.open(path, "plain") as dataset, pytest.raises(darkchunk.Error):
        dataset.write_index(tmp_path / "b.blocks")
    for other in (path, tmp_path / "not there"):
        with pytest.raises(darkchunk.UnsupportedError):
            darkchunk.open(path, "a", index=other)
    assert not [found for found in tmp_path.iterdir() if "blocks" in found.name]
