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


def frames(n):
    return np.random.default_rng(9).poisson(0.4, (n, 100, 103)).astype("<u2")


def recorded(at, **options):
    made = frames(7)
    with darkchunk.Recorder(at, "/a", (100, 103), "<u2", darkchunk.Bitshuffle(512), workers=2, **options) as recorder:
        recorder.push_many(made, [5, 0, 3, 1, 2, 6, 4])
    return made[[1, 3, 4, 2, 6, 0, 5]], recorder


def test_a_recorder_writes_the_index_that_walking_gives_and_a_row_needs_no_other_bytes_then(tmp_path):
    path = tmp_path / "a.h5"
    made, recorder = recorded(path, index=True)
    index = tmp_path / "a.h5.index"
    assert not recorder.fault and set(tmp_path.iterdir()) == {path, index}
    with darkchunk.open(path, "a") as dataset:
        dataset.write_index(tmp_path / "walked")
        stored = dataset.stored_nbytes
    with darkchunk.open(path, "a", index=index) as dataset:
        assert dataset.load_index(index) == dataset.load_index(tmp_path / "walked") == 7
    with darkchunk.open(path, "a", index=index) as dataset:
        assert (dataset[:, 51] == made[:, 51]).all()
        found = dataset.statistics
        assert (found.whole_chunks, found.partial_chunks) == (0, 7) and found.read_bytes < stored / 10


def test_a_recorder_s_index_has_the_name_that_is_given_and_each_of_several_files_its_own(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        recorded(file, index=tmp_path / "blocks")
    assert (tmp_path / "blocks").exists() and not (tmp_path / "a.h5.index").exists()
    made, _ = recorded(tmp_path / "b.h5", spread={"frames": 4}, index=True)
    for number, n in enumerate((4, 3)):
        part = tmp_path / f"b_{number:06}.h5"
        with darkchunk.open(part, "a", index=f"{part}.index") as dataset:
            assert (dataset[:n, 7] == made[4 * number :][:n, 7]).all() and dataset.statistics.whole_chunks == 0
    with pytest.raises(ValueError, match="index=True"):
        recorded(tmp_path / "c.h5", spread={"frames": 4}, index="one")


def test_what_has_no_blocks_has_no_index_and_one_that_cannot_be_written_costs_no_frame(tmp_path):
    with pytest.raises(darkchunk.Error, match="no index of blocks"):
        darkchunk.Recorder(tmp_path / "a.h5", "/a", (9, 9), "<u2", darkchunk.DRLE(2), index=True)
    with pytest.raises(darkchunk.UnsupportedError, match="no index"):
        recorded(tmp_path / "b.h5", index=__file__)
    index = tmp_path / "c.h5.index"
    with darkchunk.Recorder(tmp_path / "c.h5", "/a", (100, 103), "<u2", index=True) as recorder:
        recorder.push_many(frames(3))
        index.mkdir()
    assert recorder.statistics.n_stored == 3 and "c.h5.index" in recorder.fault
    assert not [found for found in tmp_path.iterdir() if found.suffix == ".part"]


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
