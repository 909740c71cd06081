"""One measurement in several files: what h5py reads of the master is what was pushed."""

import hashlib
import json
import shutil

import h5py
import numpy as np
import pytest

import darkchunk
from darkchunk import DRLE, Bitshuffle, Recorder, make_master

SHAPE = (12, 20)
NAME = "/entry/instrument/detector/data"
OPTIONS = {"columns": {"pulse": "u8", "motors": ("f4", 2)}, "first_number": 50, "reorder": 8, "nexus": True}


def camera(n_frames):
    rng = np.random.default_rng(3)
    return np.where(rng.random((n_frames, *SHAPE)) < 0.1, rng.integers(20, 900, (n_frames, *SHAPE)), 0).astype("i2")


def order(n_frames):
    """Numbers nearly in order, of which some never come."""
    rng = np.random.default_rng(4)
    came = [n for n in range(n_frames) if n in (0, n_frames - 1) or rng.random() > 0.1]
    return sorted(came, key=lambda n: n + rng.random() * 5)


def push(recorder, frames, numbers):
    return [recorder.push(frames[n], n + 50, pulse=3 * n, motors=(n, -n)) for n in numbers]


def check(path, frames, came):
    """Whether h5py reads what came at its place, and fill values elsewhere."""
    is_there = np.isin(np.arange(len(frames)), came)
    with h5py.File(path) as file:
        assert file[NAME].is_virtual and file[NAME].shape == frames.shape and file[NAME].maxshape == frames.shape
        assert (file[NAME][:] == np.where(is_there[:, None, None], frames, 0)).all()
        beside = file[NAME + "_darkchunk"]
        assert (beside["frame_status"][:] == is_there).all()
        assert (beside["pulse"][:] == np.where(is_there, 3 * np.arange(len(frames)), 0)).all()
        assert (beside["motors"][:, 1][is_there] == -np.array(sorted(came))).all()
        assert np.isnan(beside["motors"][:, 0][~is_there]).all()
        assert file["entry/data"].attrs["signal"] == "data" and file["entry/data/data"] == file[NAME]


@pytest.mark.parametrize("spread", [{"frames": 20}, {"bytes": 2500}, {"files": 3, "frames": 2}])
def test_a_master_is_what_was_pushed_and_each_file_is_told_when_it_is_complete(tmp_path, spread):
    frames, came, folder = camera(110), order(110), tmp_path / "here"
    folder.mkdir()
    told = []
    options = {"frames_per_chunk": 2, "spread": spread, **OPTIONS}
    with Recorder(folder / "run.h5", NAME, SHAPE, "int16", DRLE(20), **options) as recorder:
        for number in came:
            assert push(recorder, frames, [number]) == ["taken"]
            told += recorder.complete()
        assert recorder.finish().n_stored == len(came)
        told += recorder.complete()
    check(folder / "run.h5", frames, came)
    parts = sorted(folder.glob("run_*.h5"))
    assert len(parts) > 2 and [part["path"] for part in sorted(told, key=lambda part: part["path"])] == [
        part.name for part in parts
    ]
    assert sum(part["frames"] for part in told) == len(came)
    for part in told:
        assert hashlib.sha256((folder / part["path"]).read_bytes()).hexdigest() == part["sha256"]
    lines = (folder / "run.h5.parts.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == told
    shutil.move(folder, tmp_path / "there")
    check(tmp_path / "there" / "run.h5", frames, came)


def test_receivers_that_know_nothing_of_each_other_write_one_measurement(tmp_path):
    frames, came = camera(61), order(61)
    for receiver in range(3):
        path = tmp_path / f"from receiver {receiver}.h5"
        with Recorder(path, NAME, SHAPE, "int16", Bitshuffle(), share=(receiver, 1, 3), **OPTIONS) as recorder:
            pushed = push(recorder, frames, came)
            assert all((found == "taken") == (n % 3 == receiver) for n, found in zip(came, pushed, strict=True))
    parts = sorted(tmp_path.glob("from*.h5"))
    assert make_master(tmp_path / "all.h5", parts) == []
    check(tmp_path / "all.h5", frames, came)
    assert make_master(tmp_path / "all.h5", [parts[0], parts[2]]) == [f"{NAME}: the part of turn 1 of 3"]
    there = [n for n in came if n % 3 != 1]
    check(tmp_path / "all.h5", frames, there)
    with pytest.raises(darkchunk.Error, match="has, too"):
        make_master(tmp_path / "all.h5", [parts[0], parts[0]])
    check(tmp_path / "all.h5", frames, there)


def test_what_cannot_be_is_refused(tmp_path):
    def record(**options):
        return Recorder(tmp_path / "run.h5", NAME, SHAPE, "int16", Bitshuffle(), **options)

    with pytest.raises(ValueError, match="spread"):
        record(spread={"megabytes": 3})
    with h5py.File(tmp_path / "other.h5", "w") as file, pytest.raises(TypeError, match="path of the master"):
        Recorder(file, NAME, SHAPE, "int16", Bitshuffle(), spread={"frames": 5})
    for spread in ({"frames": 0}, {"files": 2, "frames": 0}, {"files": 2, "frames": 1, "own": (1, 3)}):
        with pytest.raises(darkchunk.Error):
            record(spread=spread)
    with pytest.raises(darkchunk.Error, match="name the parts"):
        make_master(tmp_path / "run.h5")
    with record(spread={"frames": 5}) as recorder:
        recorder.push(np.ones(SHAPE, "i2"), 0)
        with pytest.raises(darkchunk.Error, match="live view"):
            recorder.live_sum()
    with pytest.raises(darkchunk.Error, match="already"):
        record(spread={"frames": 5})
