"""`Recorder`: frames by their number from numpy into h5py's file, and what h5py reads of them."""

import threading

import h5py
import numpy as np
import pytest

import darkchunk
from darkchunk import Recorder

SHAPE = (33, 47)
NAME = "/entry/instrument/detector/data"


def camera(n_frames):
    rng = np.random.default_rng(5)
    dark = rng.integers(90, 110, SHAPE).astype("int16")
    frames = dark + rng.integers(-4, 5, (n_frames, *SHAPE))
    spots = np.where(rng.random((n_frames, *SHAPE)) < 0.03, rng.integers(50, 900, (n_frames, *SHAPE)), 0)
    return dark, (frames + spots).astype("int16")


def kept(dark, frames, threshold):
    difference = frames.astype("i8") - dark
    return np.where(difference < threshold, 0, difference)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("frames_per_chunk", [1, 4])
def test_frames_in_any_order_are_read_at_their_numbers_with_metadata_and_status(tmp_path, frames_per_chunk, workers):
    n_frames = 300
    dark, frames = camera(n_frames)
    rng = np.random.default_rng(7)
    order = np.argsort(np.arange(n_frames) + rng.integers(0, 8, n_frames), kind="stable")
    lost = set(rng.integers(0, n_frames - 1, 20).tolist())
    options = {
        "dark": dark,
        "columns": {"time": ("f8", 0, "s"), "motors": ("f4", 2), "shot": "u2"},
        "first_number": 1000,
        "frames_per_chunk": frames_per_chunk,
        "workers": workers,
        "nexus": True,
    }
    with Recorder(tmp_path / "run.h5", NAME, SHAPE, "int16", darkchunk.DRLE(20), **options) as recorder:
        for index in order.tolist():
            if index not in lost:
                values = {"time": index / 8, "motors": (index, -1), "shot": index}
                assert recorder.push(frames[index], 1000 + index, copy=index % 3 == 0, **values) == "taken"
            if index == 10 and index not in lost:
                assert recorder.push(frames[index], 1010) == "duplicate"
        assert recorder.push(frames[0], 5) == "out of range"
    found = recorder.statistics
    assert found.n_stored == n_frames - len(lost) and found.n_missing == len(lost)
    assert found.n_held == found.bytes_held == 0 and found.n_out_of_range == 1
    expected = kept(dark, frames, 20)
    expected[list(lost)] = 0
    status = np.array([index not in lost for index in range(n_frames)], "u1")
    with h5py.File(tmp_path / "run.h5") as file:
        beside = file[f"{NAME}_darkchunk"]
        assert np.array_equal(file[NAME][...], expected)
        assert np.array_equal(beside["sum"], expected.sum(0)) and np.array_equal(beside["dark"], dark)
        assert np.array_equal(beside["frame_status"], status)
        index = np.flatnonzero(status)
        assert np.array_equal(beside["time"][...][index], index / 8) and beside["time"].attrs["units"] == "s"
        assert np.array_equal(beside["shot"][...][index], index) and beside["motors"].shape == (n_frames, 2)
        assert np.isnan(beside["motors"][...][list(lost)]).all()


def test_released_frames_are_told_and_others_are_kept_alive(tmp_path):
    _, frames = camera(1)
    with Recorder(tmp_path / "run.h5", "frames", SHAPE, "int16", darkchunk.DRLE(1), workers=1) as recorder:
        assert recorder.released() == []
        pool = [frames[0].copy() for _ in range(4)]
        free = list(pool)
        for number in range(100):
            while not free:
                free += recorder.released()
            frame = free.pop()
            frame[0, 0] = number
            assert recorder.push(frame, number) == "taken"
        for number in range(100, 200):
            # Nobody else knows these.
            assert recorder.push(np.full(SHAPE, number, "int16")) == "taken"
    with h5py.File(tmp_path / "run.h5") as file:
        assert np.array_equal(file["frames"][:, 0, 0], np.arange(200))
        assert (file["frames"][150] == 150).all()


def test_dark_frames_are_vetoed_and_many_are_pushed_at_once(tmp_path):
    frames = np.zeros((10, *SHAPE), "int16")
    frames[::2, 3, 4] = 700
    with h5py.File(tmp_path / "run.h5", "w") as file:
        columns = {"shot": "i8"}
        least = {"maximum": 700}
        with Recorder(file, "run", SHAPE, "int16", darkchunk.DRLE(5), columns=columns, least=least) as recorder:
            assert recorder.push_many(frames, shot=np.arange(100, 110)) == ["taken"] * 10
            recorder.flush(sync=True)
            assert recorder.statistics.n_flushed == 5
        assert file["run_darkchunk/frame_status"][...].tolist() == [1, 2] * 5
        assert file["run_darkchunk/shot"][...].tolist() == list(range(100, 110))
        assert np.array_equal(file["run"][...], frames)
    assert recorder.statistics.n_vetoed == 5


def test_what_cannot_be_right_is_refused(tmp_path):
    with h5py.File(tmp_path / "run.h5", "w") as file:

        def make(**options):
            return Recorder(file, "run", SHAPE, "int16", darkchunk.DRLE(5), **options)

        for options, error, words in [
            ({"policy": "wait"}, ValueError, "'block' or 'drop'"),
            ({"max_bytes": 100}, darkchunk.ArgumentError, "give more"),
            ({"columns": {"time": "c16"}}, darkchunk.UnsupportedError, "no number"),
            ({"columns": {"frame_status": "u1"}}, darkchunk.UnsupportedError, "another name"),
            ({"least": {"mean": 3}}, ValueError, "sum, n_bright or maximum"),
        ]:
            with pytest.raises(error, match=words):
                make(**options)
        frame = np.zeros(SHAPE, "int16")
        with make(columns={"time": "f8", "shot": "u2"}) as recorder:
            for call, error, words in [
                (lambda: recorder.push(frame[:5]), ValueError, "shape"),
                (lambda: recorder.push(frame.astype("u2")), TypeError, "uint16"),
                (lambda: recorder.push(frame, time=1.0), TypeError, "shot"),
                (lambda: recorder.push(frame, time=1.0, shot=70000), ValueError, "metadata"),
            ]:
                with pytest.raises(error, match=words):
                    call()
            assert recorder.statistics.n_received == 0
        with pytest.raises(darkchunk.UnsupportedError, match="closed"):
            recorder.push(frame)


def test_a_python_thread_goes_on_while_frames_are_pushed(tmp_path):
    frame = np.zeros((1024, 1024), "int16")
    ticks, stop = [], threading.Event()

    def count():
        while not stop.is_set():
            ticks.append(None)
            stop.wait(0.0005)

    thread = threading.Thread(target=count)
    with Recorder(tmp_path / "run.h5", "run", frame.shape, "int16", darkchunk.DRLE(5), workers=0) as recorder:
        thread.start()
        for number in range(200):
            recorder.push(frame, number)
        stop.set()
        thread.join()
    assert len(ticks) > 10
