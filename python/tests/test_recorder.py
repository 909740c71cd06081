"""`Recorder`: frames by their number from numpy into h5py's file, and what h5py reads of them."""

import gc
import struct
import subprocess
import sys
import threading
import time
import weakref

import h5py
import numpy as np
import pytest
from support import python

import darkchunk
from darkchunk import Recorder, _columns, _native

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


BRICKS = [darkchunk.Bitshuffle(), darkchunk.Blosc(cname="zstd"), darkchunk.LZ4(), darkchunk.Zstd(), darkchunk.Bounded()]


@pytest.mark.parametrize("filter", BRICKS)
def test_frames_in_bricks_are_to_h5py_what_was_pushed_and_a_sinogram_reads_its_bricks_alone(tmp_path, filter):
    _, frames = camera(50)
    order = np.argsort(np.arange(50) + np.random.default_rng(3).integers(0, 8, 50), kind="stable")
    lost = {7, 20, 21}
    options = {"frames_per_chunk": 16, "rows_per_chunk": 8, "columns": {"angle": "f8"}}
    with Recorder(tmp_path / "scan.h5", NAME, SHAPE, "int16", filter, **options) as recorder:
        for index in order.tolist():
            if index not in lost:
                assert recorder.push(frames[index], index, angle=index / 2) == "taken"
    assert recorder.statistics.n_stored == 47
    expected = frames.copy()
    expected[list(lost)] = 0
    with h5py.File(tmp_path / "scan.h5") as file:
        data = file[NAME]
        assert data.chunks == (16, 8, 47) and np.array_equal(data[...], expected)
        assert np.array_equal(data[:, 17], expected[:, 17])
        status = file[f"{NAME}_darkchunk/frame_status"][...]
        assert np.array_equal(status == 1, [index not in lost for index in range(50)])
    with darkchunk.open(tmp_path / "scan.h5", NAME) as data:
        assert np.array_equal(data[:, 17], expected[:, 17])
        assert data.statistics.read_bytes * 3 < recorder.statistics.bytes_stored


def test_bricks_that_cannot_be_are_refused_and_what_they_need_is_said(tmp_path):
    def refused(match, filter=None, **options):
        with pytest.raises(darkchunk.Error, match=match):
            Recorder(tmp_path / "bad.h5", "data", SHAPE, "int16", filter, **options)
        assert not list(tmp_path.iterdir())

    refused("give 1 to 33", rows_per_chunk=34)
    refused("DRLE stores whole frames", darkchunk.DRLE(), rows_per_chunk=8)
    refused("fewer workers", rows_per_chunk=8, frames_per_chunk=16, max_bytes=200_000)


@pytest.mark.parametrize("workers", [0, 1])
def test_released_frames_are_told_and_others_are_kept_alive(tmp_path, workers):
    _, frames = camera(1)
    options = {"workers": workers, "keep_released": True}
    with Recorder(tmp_path / "run.h5", "frames", SHAPE, "int16", darkchunk.DRLE(1), **options) as recorder:
        # Nobody else knows these, and they are first asked for when there are none.
        free = [frames[0].copy() for _ in range(70)]
        for number in range(200):
            end = time.monotonic() + 120
            while not free and time.monotonic() < end:
                free += recorder.released()
            frame = free.pop()
            frame[0, 0] = number
            assert recorder.push(frame, number) == "taken"
            del frame
    with h5py.File(tmp_path / "run.h5") as file:
        assert np.array_equal(file["frames"][:, 0, 0], np.arange(200))


def test_the_frame_that_was_given_is_released_also_where_a_copy_was_made_of_it(tmp_path):
    frame = np.zeros(SHAPE[::-1], "int16").T
    with Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", workers=0, keep_released=True) as recorder:
        recorder.push(frame)
        recorder.flush()
        assert [found is frame for found in recorder.released()] == [True]


def test_released_frames_that_nobody_asks_for_are_not_kept(tmp_path):
    frames = []
    with Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", workers=0) as recorder:
        for _ in range(200):
            frame = np.zeros(SHAPE, "int16")
            frames.append(weakref.ref(frame))
            recorder.push(frame)
        del frame
        gc.collect()
        assert sum(frame() is not None for frame in frames) < 100
        with pytest.raises(darkchunk.UnsupportedError, match="keep_released=True"):
            recorder.released()


FULL = """
import sys, signal, resource, time, h5py, numpy as np, darkchunk
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
frames = np.random.default_rng(1).integers(0, 1 << 15, (40, 64, 64)).astype("int16")
file = h5py.File(sys.argv[1], "w")
options = {"workers": 0, "journal": False, "flush_seconds": None, "max_bytes": 20 << 13}
recorder = darkchunk.Recorder(file, "frames", (64, 64), "int16", darkchunk.LZ4(), **options)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

def limit(n_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))

def close():
    limit(soft)
    recorder.close()
    file.close()
    assert recorder.statistics.n_stored == len(frames), recorder.statistics
    assert recorder.statistics.n_duplicate == 0
    with h5py.File(sys.argv[1]) as file_again:
        assert (file_again["frames"][...] == frames).all()
"""


@pytest.mark.parametrize("copy", [False, True])
def test_a_frame_that_is_held_has_its_number(tmp_path, copy):
    code = """
seen = set()
for number, frame in enumerate(frames):
    if number == 3:
        limit(36000)
    while True:
        try:
            recorder.push(frame, copy=COPY)
        except darkchunk.NotStoredError:
            seen.add("not stored")
        except darkchunk.NotTakenError:
            seen.add("not taken")
            assert not any(lent is frame for lent, _ in recorder._lent.values())
            limit(soft)
            continue
        break
    assert recorder._next == number + 1
assert len(seen) == 2, seen
close()
"""
    done = python(FULL + code.replace("COPY", str(copy)), tmp_path / "run.h5")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("numbered", [False, True])
def test_many_frames_are_pushed_on_after_a_full_disk(tmp_path, numbered):
    code = """
def numbers(begin, end):
    return range(begin, end) if NUMBERED else None

recorder.push_many(frames[:3], numbers(0, 3))
limit(36000)
try:
    recorder.push_many(frames[3:10], numbers(3, 10))
except darkchunk.NotStoredError as error:
    assert error.pushed == ["taken"] * 7
else:
    assert False
assert recorder.statistics.n_received == 10
at, tries = 10, 0
while at < 40:
    try:
        recorder.push_many(frames[at:], numbers(at, 40))
        break
    except darkchunk.NotTakenError as error:
        assert tries or 0 < len(error.pushed) < 30
        at, tries = at + len(error.pushed), tries + 1
        limit(soft)
assert tries
close()
"""
    done = python(FULL + code.replace("NUMBERED", str(numbered)), tmp_path / "run.h5")
    assert done.returncode == 0, done.stderr


def test_frames_that_the_disk_does_not_take_are_lost_and_counted(tmp_path):
    code = """
for number, frame in enumerate(frames[:10]):
    if number == 3:
        limit(36000)
    try:
        recorder.push(frame)
    except darkchunk.NotStoredError:
        pass
try:
    recorder.finish()
except darkchunk.NotStoredError as error:
    assert "held" in str(error)
else:
    assert False
try:
    # Not even the columns.
    recorder.abandon()
except darkchunk.NotStoredError:
    limit(soft)
else:
    assert False
found = recorder.abandon()
assert found == recorder.statistics and found.n_held == 0, found
n = found.n_stored
assert 0 < n < 10 and found.n_lost == 10 - n, found
file.close()
with h5py.File(sys.argv[1]) as file_again:
    assert (file_again["frames"][:n] == frames[:n]).all() and not file_again["frames"][n:].any()
    assert file_again["frames_darkchunk/frame_status"][...].tolist() == [1] * n + [6] * (10 - n)
    assert "sum" not in file_again["frames_darkchunk"]
"""
    done = python(FULL + code, tmp_path / "run.h5")
    assert done.returncode == 0, done.stderr


def test_another_process_reads_what_is_flushed_while_it_is_recorded(tmp_path):
    path, n_frames = tmp_path / "run.h5", 20
    _, frames = camera(n_frames)
    code = """
import sys, h5py, darkchunk
with h5py.File(sys.argv[1], swmr=True) as file:
    data, status = file["frames"], file["frames_darkchunk/frame_status"]
    print("ready", flush=True)
    for line in sys.stdin:
        data.refresh(), status.refresh()
        print(len(data), int(data[-1].astype("i8").sum()), status[...].tolist().count(1), flush=True)
"""
    options = {"columns": {"shot": "u2"}, "swmr": True, "flush_seconds": None}
    with (
        Recorder(path, "frames", SHAPE, "int16", darkchunk.DRLE(1), **options) as recorder,
        subprocess.Popen([sys.executable, "-c", code, path], stdin=-1, stdout=-1, text=True) as reader,
    ):
        assert reader.stdout.readline() == "ready\n"
        for number, frame in enumerate(frames):
            recorder.push(frame, shot=number)
            recorder.flush()
            print(file=reader.stdin, flush=True)
            expected = number + 1, int(np.maximum(frame, 0).astype("i8").sum()), number + 1
            assert tuple(map(int, reader.stdout.readline().split())) == expected
        reader.stdin.close()
    assert recorder.statistics.n_stored == n_frames
    with h5py.File(path) as file:
        assert np.array_equal(file["frames_darkchunk/sum"], np.maximum(frames, 0).astype("i8").sum(0))
        assert file["frames_darkchunk/sum"].attrs["frames"] == file["frames_darkchunk"].attrs["frames"] == n_frames


def test_a_file_of_the_usual_format_cannot_be_read_meanwhile_and_the_error_says_what_to_do(tmp_path):
    with h5py.File(tmp_path / "run.h5", "w") as file, pytest.raises(darkchunk.Error, match="libver"):
        Recorder(file, "run", SHAPE, "int16", swmr=True)


def test_a_recording_is_looked_at_by_another_thread_while_it_goes_on(tmp_path):
    dark, frames = camera(10)
    expected, stop, found = kept(dark, frames, 20), threading.Event(), []
    options = {"dark": dark, "columns": {"pump": "u1"}, "classes": ("pump", 2)}
    with Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", darkchunk.DRLE(20), **options) as recorder:
        assert recorder.last_frame() is None
        with pytest.raises(darkchunk.ArgumentError, match="no frame came"):
            recorder.preview([1], seconds=0.01)

        def look():
            try:
                found.append(recorder.preview([20, 200], n_frames=7, seconds=60))
            finally:
                # Also where it fails: frames are pushed until then.
                stop.set()

        looking = threading.Thread(target=look)
        looking.start()
        number = 0
        while not stop.is_set():
            recorder.push(frames[number % 10], pump=number % 2)
            number += 1
        looking.join()
        recorder.flush()
        n, last = recorder.last_frame()
        assert n == number - 1 and np.array_equal(last, expected[n % 10])
        sums = [recorder.live_sum(number) for number in (0, 1, None)]
        assert [n_frames for _, n_frames in sums] == [(number + 1) // 2, number // 2, number]
        assert np.array_equal(sums[0][0] + sums[1][0], sums[2][0])
        assert np.array_equal(sums[2][0], sum(expected[n % 10].astype("i8") for n in range(number)))
        with pytest.raises(darkchunk.ArgumentError, match="there are 2"):
            recorder.live_sum(2)
    (low, high), *_ = found
    assert (low.threshold, low.n_frames, high.threshold) == (20, 7, 200)
    assert low.bright > high.bright > 0 and 1 < low.ratio < high.ratio and low.frames_per_s > 0
    with pytest.raises(darkchunk.UnsupportedError, match="closed"):
        recorder.last_frame()


@pytest.mark.parametrize("filter", [darkchunk.DRLE(20), darkchunk.Bitshuffle()])
@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_the_maximum_is_that_of_numpy(tmp_path, filter, dtype):
    dark, frames = camera(40)
    options = {"dark": dark.astype(dtype), "threshold": 20, "maximum": True, "frames_per_chunk": 3}
    with Recorder(tmp_path / "run.h5", "run", SHAPE, dtype, filter, **options) as recorder:
        assert recorder.live_maximum()[1] == 0
        recorder.push_many(frames.astype(dtype)[::2], list(range(0, 40, 2)))
        recorder.finish()
        greatest, n_frames = recorder.live_maximum()
    assert n_frames == 20 and greatest.dtype == dtype
    np.testing.assert_array_equal(greatest, kept(dark, frames[::2], 20).max(axis=0))
    with Recorder(tmp_path / "none.h5", "run", SHAPE, dtype) as recorder, pytest.raises(darkchunk.ArgumentError):
        recorder.live_maximum()


def test_frames_are_overwritten_with_what_is_stored(tmp_path):
    dark, frames = camera(20)
    expected = kept(dark, frames, 20)
    given = frames.copy()
    options = {"dark": dark, "in_place": True, "frames_per_chunk": 3}
    with Recorder(tmp_path / "run.h5", NAME, SHAPE, "int16", darkchunk.DRLE(20), **options) as recorder:
        recorder.push_many(given)
        copied = frames[0].copy()
        assert recorder.push(copied, copy=True) == "taken"
        given_too = frames[1].copy()
        given_too.flags.writeable = False
        for frame in [given_too, np.asfortranarray(frames[1])]:
            with pytest.raises(ValueError, match="contiguous and writable"):
                recorder.push(frame)
        n_received = recorder.statistics.n_received
        with pytest.raises(ValueError, match="contiguous and writable"):
            recorder.push_many([frames[1].copy(), given_too])
        assert recorder.statistics.n_received == n_received, "none of them is taken"
    np.testing.assert_array_equal(given, expected)
    np.testing.assert_array_equal(copied, frames[0])
    with h5py.File(tmp_path / "run.h5") as file:
        np.testing.assert_array_equal(file[NAME][:20], expected)


def test_threshold_and_dark_image_change_while_frames_are_pushed(tmp_path):
    dark, frames = camera(30)
    truth = [(0, 20, np.zeros_like(dark))]
    with Recorder(tmp_path / "run.h5", NAME, SHAPE, "int16", darkchunk.DRLE(20), frames_per_chunk=4) as recorder:
        for number, frame in enumerate(frames):
            if number == 9:
                truth.append((recorder.set_threshold(150), 150, np.zeros_like(dark)))
            if number == 18:
                truth.append((recorder.set_dark(dark), 150, dark))
            if number == 26:
                truth.append((recorder.set_dark(None), 150, np.zeros_like(dark)))
            recorder.push(frame, number, copy=True)
        with pytest.raises(ValueError, match="32767"):
            recorder.set_threshold(0)
        with pytest.raises(TypeError, match="dark is of float64"):
            recorder.set_dark(dark.astype(float))
    assert [first for first, *_ in truth] == [0, 12, 20, 28]
    with h5py.File(tmp_path / "run.h5") as file:
        for number, frame in enumerate(file[NAME]):
            _, threshold, image = [row for row in truth if row[0] <= number][-1]
            np.testing.assert_array_equal(frame, kept(image, frames[number], threshold))
        changes = file[f"{NAME}_darkchunk/changes"]
        assert changes["frame"][:].tolist() == [0, 12, 20, 28]
        assert changes["threshold"][:].tolist() == [20, 150, 150, 150]
        assert changes["dark"][:].tolist() == [-1, -1, 0, 1]
        np.testing.assert_array_equal(changes["dark_images"], [dark, np.zeros_like(dark)])
    bare = darkchunk.DRLE(20, mode="bare")
    with (
        Recorder(tmp_path / "bare.h5", NAME, SHAPE, "int16", bare) as recorder,
        pytest.raises(darkchunk.UnsupportedError, match="does not say its threshold"),
    ):
        recorder.set_threshold(30)


def test_room_is_kept_beside_the_file_while_it_is_recorded(tmp_path):
    with Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", reserve_bytes=5000):
        assert (tmp_path / "run.h5.reserve").stat().st_size == 5000
    assert [path.name for path in tmp_path.iterdir()] == ["run.h5"]


def test_nothing_of_many_frames_is_taken_where_one_is_wrong(tmp_path):
    frames = np.zeros((3, *SHAPE), "int16")
    with Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", columns={"shot": "u2"}) as recorder:
        for numbers, shots, words in [
            (range(2), range(3), "numbers: 2 are given for 3"),
            (range(4), range(3), "numbers: 4 are given for 3"),
            (None, range(2), "shot: 2 are given for 3"),
            (None, [1, 2, 70000], "70000"),
            ([0, 1, 1 << 64], range(3), "number is 18446744073709551616"),
        ]:
            with pytest.raises(ValueError, match=words):
                recorder.push_many(frames, numbers, shot=shots)
        assert recorder.statistics.n_received == 0 and recorder._lent == {}


@pytest.mark.parametrize("copy", [False, True])
def test_a_number_is_any_integer_of_64_bits(tmp_path, copy):
    frame = np.zeros(SHAPE, "int16")
    first = np.uint32(7)
    with Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", workers=0, first_number=first) as recorder:
        assert recorder.push(frame, np.int64(7), copy=copy) == recorder.push(frame, copy=copy) == "taken"
        assert recorder.push_many(frame[None], np.array([9], "u8")) == ["taken"]
        assert recorder.push(frame, (1 << 64) - 1, copy=copy) == "out of range"
        lent = len(recorder._lent)
        for number, error in [(1 << 64, ValueError), (-1, ValueError), (1.0, TypeError)]:
            with pytest.raises(error, match="number is"):
                recorder.push(frame, number, copy=copy)
        assert len(recorder._lent) == lent and recorder.statistics.n_received == 4
        assert recorder.push(frame) == "taken"


def test_numbers_of_all_types_are_packed_as_the_library_reads_them(tmp_path):
    columns = {name: (name, length) for name, length in zip(_columns._TYPES, (0, 3) * 5, strict=True)}
    for dtype, (_, code) in _columns._NUMBERS.items():
        assert struct.calcsize(f"={code}") == dtype.itemsize
    # Of one size, and of two on other systems.
    columns |= {"long": "l", "longlong": "q"}
    values = {
        name: np.array([np.iinfo(name).max if "f" not in name else 1.5] * (length or 1), name)
        for name, (_, length) in list(columns.items())[:-2]
    }
    with Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", columns=columns) as recorder:
        given = {name: value if columns[name][1] else value[0] for name, value in values.items()}
        recorder.push(np.zeros(SHAPE, "int16"), long=-5, longlong=-6, **given)
        sizes = [np.dtype(name).itemsize * max(length, 1) for name, length in list(columns.values())[:-2]]
        assert recorder._columns.row_bytes == sum(sizes) + np.dtype("l").itemsize + 8
    with h5py.File(tmp_path / "run.h5") as file:
        beside = file["run_darkchunk"]
        assert all(np.array_equal(np.ravel(beside[name][0]), value) for name, value in values.items())
        assert beside["long"][0] == -5 and beside["longlong"][0] == -6


def test_a_recorder_does_not_end_while_it_is_asked(tmp_path, monkeypatch):
    """Where a thread is in a call and another closes the recorder, the second waits."""
    recorder = Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", keep_released=True)
    recorder.push(np.zeros(SHAPE, "int16"))
    call, is_inside, may_go, seen = _native.call, threading.Event(), threading.Event(), []

    def slow(name, *arguments):
        if name == "dc_recorder_fault":
            is_inside.set()
            may_go.wait(60)
            seen.append(recorder._handle is not None)
        if recorder._handle is not None:
            call(name, *arguments)

    monkeypatch.setattr(_native, "call", slow)
    asking = threading.Thread(target=lambda: recorder.fault)
    asking.start()
    assert is_inside.wait(60)
    # As `close`, which asks for the statistics first; this asks for the fault, too.
    closing = threading.Thread(target=recorder._end)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    may_go.set()
    asking.join(60)
    closing.join(60)
    assert seen == [True, True] and not closing.is_alive()
    assert recorder.fault == "" and recorder.released() == [] and recorder.statistics.n_stored == 1


def test_a_recorder_is_asked_by_threads_until_it_is_closed(tmp_path):
    for turn in range(20):
        recorder = Recorder(tmp_path / f"{turn}.h5", "run", SHAPE, "int16", keep_released=True, workers=1)
        stop, found = threading.Event(), []

        def ask(recorder=recorder, stop=stop, found=found):
            while not stop.is_set():
                found.append((recorder.statistics.n_received, recorder.fault, len(recorder.released())))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            recorder.push(np.zeros(SHAPE, "int16"))
        recorder.close()
        stop.set()
        for thread in threads:
            thread.join()
        assert recorder.statistics.n_stored == 10 and {fault for _, fault, _ in found} <= {""}


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
    found = recorder.statistics
    assert found.n_vetoed == 5 and found.bytes_decoded == 5 * frames[0].nbytes and found.gb_per_s > 0
    assert found.codec_ratio == found.bytes_decoded / found.bytes_stored
    assert found.ratio == frames.nbytes / found.bytes_stored == 2 * found.codec_ratio


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
                (lambda: recorder.push(frame, time="abc", shot=7), ValueError, "column time: .*float"),
                (lambda: recorder.push(frame, time=1.0, x=7), TypeError, "'shot'. are missing, .'x'. are no columns"),
            ]:
                with pytest.raises(error, match=words):
                    call()
            assert recorder.statistics.n_received == 0
        with pytest.raises(darkchunk.UnsupportedError, match="closed"):
            recorder.push(frame)


@pytest.mark.parametrize(
    "options",
    [
        {"max_bytes": 1000},
        {"dtype": "uint8", "filter": darkchunk.DRLE(5)},
        {"dtype": "uint8", "threshold": 3},
        {"dtype": "uint8", "dark": np.zeros(SHAPE, "uint8")},
        {"classes": ("pump", 2)},
        {"columns": {"sum": "f8"}},
        {"filter": darkchunk.DRLE(5), "rows_per_chunk": 3},
        {"filter": darkchunk.DRLE(5), "index": True},
        {"max_bytes": 1000, "swmr": True},
        {"max_bytes": 1000, "spread": {"files": 2, "frames": 1}},
    ],
    ids=str,
)
def test_a_recorder_that_is_refused_leaves_nothing_and_the_right_one_can_be_made(tmp_path, options):
    path = tmp_path / "run.h5"
    with pytest.raises(darkchunk.Error):
        Recorder(path, "run", SHAPE, **{"dtype": "int16", **options})
    assert not list(tmp_path.iterdir())
    Recorder(path, "run", SHAPE, "int16").close()
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        Recorder(path, "run", SHAPE, **{"dtype": "int16", **options, "spread": None})
    assert path.read_bytes() == before


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_what_is_not_kept_for_a_live_view_is_said_as_python_says_it(tmp_path, dtype):
    with Recorder(tmp_path / "run.h5", "run", SHAPE, dtype) as recorder:
        with pytest.raises(darkchunk.ArgumentError, match="16-bit frames only"):
            recorder.live_sum()
        with pytest.raises(darkchunk.ArgumentError, match="maximum=True"):
            recorder.live_maximum()


def test_a_number_that_is_not_accepted_does_not_count(tmp_path):
    frame = np.ones(SHAPE, "int16")
    with Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", first_number=3) as recorder:
        came = [recorder.push(frame, number) for number in (None, 10**7, 1, None, 8, 3, None)]
        came += [recorder.push_pixels([1], np.array([9], "i2"), number) for number in (10**7, None)]
        came += recorder.push_many(frame[None].repeat(2, 0), [10**7, 12]) + recorder.push_many(frame[None])
    taken, out = "taken", "out of range"
    assert came == [taken, out, out, taken, taken, "duplicate", taken, out, taken, out, taken, taken]
    with h5py.File(tmp_path / "run.h5") as file:
        assert np.flatnonzero(file["run_darkchunk/frame_status"]).tolist() == [0, 1, 5, 6, 7, 9, 10]


def test_frames_without_a_number_go_on_past_those_of_others(tmp_path):
    frame = np.ones(SHAPE, "int16")
    with Recorder(tmp_path / "run.h5", "run", SHAPE, "int16", share=(1, 1, 3)) as recorder:
        assert [recorder.push(frame) for _ in range(5)] == ["out of range", "taken", *["out of range"] * 2, "taken"]


def test_a_recorder_that_is_refused_leaves_a_journal_that_was_there(tmp_path):
    journal = tmp_path / "run.h5.journal"
    journal.write_bytes(b"of a crash")
    with pytest.raises(darkchunk.Error, match="journal"):
        Recorder(tmp_path / "run.h5", "run", SHAPE, "int16")
    assert list(tmp_path.iterdir()) == [journal] and journal.read_bytes() == b"of a crash"


def test_a_python_thread_goes_on_while_frames_are_pushed(tmp_path):
    frame = np.zeros((1024, 1024), "int16")
    ticks, stop, found = [], threading.Event(), []

    def count():
        while not stop.is_set():
            ticks.append(None)
            stop.wait(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    # On a busy machine the thread may have no processor for a while: then once more.
    while len(found) < 20 and not any(n > 10 for n in found):
        path = tmp_path / f"{len(found)}.h5"
        with Recorder(path, "run", frame.shape, "int16", darkchunk.DRLE(5), workers=0) as recorder:
            before = len(ticks)
            for number in range(200):
                recorder.push(frame, number)
            found.append(len(ticks) - before)
    stop.set()
    thread.join()
    assert max(found) > 10, found


def test_encoded_frames_and_pixels_are_what_they_say(tmp_path):
    filter, frame = darkchunk.Bitshuffle(), np.arange(SHAPE[0] * SHAPE[1], dtype="uint16").reshape(SHAPE)
    chunk = darkchunk.encode_chunk(frame[None], filter)
    with h5py.File(tmp_path / "run.h5", "w") as file:
        with Recorder(file, "frames", SHAPE, "uint16", filter, sum=False, columns={"shot": "u4"}) as recorder:
            recorder.check_every(1)
            assert recorder.push_encoded(chunk, shot=7) == "taken"
            assert recorder.push_encoded(memoryview(chunk[:40]), 2) == "taken"
            assert recorder.push_pixels([3, 1, 3], np.array([9, 8, 7], "u2"), 1, shot=5) == "taken"
            for places, values in [([-1], [1]), ([1 << 32], [1]), ([frame.size], [1]), ([1, 2], [1]), ([0.5], [1])]:
                with pytest.raises((ValueError, TypeError, darkchunk.ArgumentError)):
                    recorder.push_pixels(places, np.array(values, "u2"))
            with pytest.raises(ValueError, match="kind"):
                recorder.push_encoded(chunk, kind="drle")
            with pytest.raises(darkchunk.ArgumentError, match="DRLE"):
                recorder.push_encoded(chunk, kind="stream")
            with pytest.raises(TypeError, match="dataset"):
                recorder.push_pixels([1], np.array([1], "f4"))
            statistics = recorder.finish()
            assert "frame 2" in recorder.fault
        assert (statistics.n_stored, statistics.n_refused) == (2, 1)
        assert file["frames"].id.read_direct_chunk((0, 0, 0)) == (0, bytes(chunk))
        expected = np.zeros(frame.size, "u2")
        expected[[1, 3]] = 8, 7
        assert (file["frames"][0] == frame).all() and (file["frames"][1].ravel() == expected).all()
        assert file["frames_darkchunk/frame_status"][:].tolist() == [1, 1, 4]
        assert file["frames_darkchunk/shot"][:2].tolist() == [7, 5]
    recorder = Recorder(tmp_path / "sum.h5", "frames", SHAPE, "uint16", filter)
    with recorder, pytest.raises(darkchunk.ArgumentError, match="without the sum"):
        recorder.push_encoded(chunk)
