"""`Writer`: frames from numpy into h5py's file, and what h5py reads of them."""

import gc
import threading

import h5py
import numpy as np
import pytest
from support import FILTERS, python

import darkchunk
from darkchunk import Writer

SHAPE = (33, 47)
NAME = "/entry/instrument/detector/data"


def camera(n_frames=11, dtype="int16"):
    """A dark image with noise around it, and bright spots."""
    rng = np.random.default_rng(3)
    dark = rng.integers(90, 110, SHAPE).astype(dtype)
    noise = rng.integers(-4, 5, (n_frames, *SHAPE))
    spots = np.where(rng.random((n_frames, *SHAPE)) < 0.03, rng.integers(50, 900, (n_frames, *SHAPE)), 0)
    return dark, (dark + noise + spots).astype(dtype)


def kept(dark, frames, threshold):
    difference = frames.astype("i8") - dark
    return np.where(difference < threshold, 0, difference)


@pytest.mark.parametrize("frames_per_chunk", [1, 4])
def test_what_is_pushed_is_read_with_sum_and_counts(tmp_path, frames_per_chunk):
    dark, frames = camera()
    with Writer(
        tmp_path / "run.h5",
        NAME,
        SHAPE,
        "int16",
        darkchunk.DRLE(20),
        dark=dark,
        frames_per_chunk=frames_per_chunk,
        nexus=True,
    ) as writer:
        writer.push(frames[0])
        writer.push(frames[1:7])
        for frame in frames[7:]:
            writer.push(frame)
        assert writer.summary.n_pushed == len(frames)
        total = writer.sum
    assert writer.summary.n_stored == len(frames) and writer.summary.n_zeroed > 0
    expected = kept(dark, frames, 20)
    assert total.dtype == np.int64 and np.array_equal(total, expected.sum(0))
    with h5py.File(tmp_path / "run.h5") as file:
        assert file[NAME].dtype == "i2" and file[NAME].chunks == (frames_per_chunk, *SHAPE)
        assert np.array_equal(file[NAME][...], expected)
        beside = file[f"{NAME}_darkchunk"]
        assert np.array_equal(beside["sum"], expected.sum(0)) and np.array_equal(beside["dark"], dark)
        assert file["entry"].attrs["NX_class"] in (b"NXentry", "NXentry")


@pytest.mark.parametrize("filter", [*FILTERS, None], ids=repr)
@pytest.mark.parametrize("dtype", ["uint16", "int8", "uint8", "int32", "uint32"])
def test_every_filter_and_type(tmp_path, filter, dtype):
    frames = np.abs(camera()[1] % 100).astype(dtype)
    if filter is not None and filter.filter_name == "drle" and dtype != "uint16":
        with pytest.raises(darkchunk.UnsupportedError, match="int16"):
            Writer(tmp_path / "run.h5", NAME, SHAPE, dtype, filter)
        assert not list(tmp_path.iterdir())
        return
    with h5py.File(tmp_path / "run.h5", "w") as file:
        with Writer(file.create_group("a"), "b", SHAPE, dtype, filter) as writer:
            writer.push(frames)
        assert np.array_equal(file["a/b"][...], frames)
        stored = file["a/b"].id.get_create_plist().get_filter(0)
        assert darkchunk.from_filter_options(stored[0], stored[2]) == (filter or darkchunk.Bitshuffle())


def test_attach_goes_on_after_the_last_frame(tmp_path):
    dark, frames = camera()
    path = tmp_path / "run.h5"
    options = dict(dark=dark)
    with Writer(path, NAME, SHAPE, "int16", darkchunk.DRLE(20), frames_per_chunk=4, **options) as writer:
        writer.push(frames[:6])
    with Writer.attach(path, NAME, **options) as writer:
        writer.push(frames[6:])
        assert writer.summary.n_stored >= 6 and writer.summary.n_pushed == 5
    with h5py.File(path, "r+") as file:
        with Writer.attach(file, NAME, **options):
            pass
        assert np.array_equal(file[NAME][...], kept(dark, frames, 20))
        assert np.array_equal(file[f"{NAME}_darkchunk/sum"], kept(dark, frames, 20).sum(0))


def test_flushed_frames_are_in_the_file_for_another_process(tmp_path):
    _, frames = camera()
    path = tmp_path / "run.h5"
    writer = Writer(path, NAME, SHAPE, "int16", darkchunk.Zstd(), flush_seconds=None)
    writer.push(frames)
    writer.flush()
    assert writer.summary.n_flushed == len(frames)
    code = f"import darkchunk, h5py, sys; print(h5py.File(sys.argv[1])[{NAME!r}].shape[0])"
    assert python(code, path).stdout.strip() == str(len(frames))
    writer.close()
    writer.close()
    with pytest.raises(darkchunk.UnsupportedError, match="closed"):
        writer.push(frames)


def test_a_writer_that_is_forgotten_loses_nothing(tmp_path):
    _, frames = camera()
    with h5py.File(tmp_path / "run.h5", "w") as file:
        writer = Writer(file, NAME, SHAPE, "int16", frames_per_chunk=4)
        writer.push(frames)
        del writer
        gc.collect()
        assert np.array_equal(file[NAME][...], frames)
    code = """
import sys, h5py, numpy as np, darkchunk
writer = darkchunk.Writer(sys.argv[1], "frames", (8, 9), "int16", frames_per_chunk=4)
writer.push(np.arange(72, dtype="int16").reshape(8, 9))
"""
    done = python(code, tmp_path / "end.h5")
    assert done.returncode == 0 and not done.stderr, done.stderr
    with h5py.File(tmp_path / "end.h5") as file:
        assert file["frames"].shape == (1, 8, 9) and file["frames"][0, 7, 8] == 71


def test_an_exception_in_the_block_is_shown_and_the_frames_are_kept(tmp_path):
    _, frames = camera()
    with pytest.raises(KeyError, match="mine"), Writer(tmp_path / "run.h5", NAME, SHAPE, "int16") as writer:
        writer.push(frames)
        raise KeyError("mine")
    with h5py.File(tmp_path / "run.h5") as file:
        assert np.array_equal(file[NAME][...], frames)


def test_h5py_works_in_other_threads_meanwhile(tmp_path):
    _, frames = camera()
    done, errors = threading.Event(), []

    def read():
        try:
            with h5py.File(tmp_path / "other.h5", "w") as file:
                file.create_dataset("a", data=frames, chunks=(1, *SHAPE), compression=darkchunk.LZ4())
                while not done.is_set():
                    assert np.array_equal(file["a"][...], frames)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    with Writer(tmp_path / "run.h5", NAME, SHAPE, "int16", darkchunk.DRLE(1), flush_frames=3) as writer:
        for _ in range(40):
            writer.push(frames)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors
    with h5py.File(tmp_path / "run.h5") as file:
        assert file[NAME].shape[0] == 40 * len(frames)


def test_a_file_that_is_closed_first_is_an_error_and_no_crash(tmp_path):
    code = """
import sys, h5py, numpy as np, darkchunk
file = h5py.File(sys.argv[1], "w")
writer = darkchunk.Writer(file, "frames", (8, 9), "int16")
frame = np.ones((8, 9), "int16")
writer.push(frame)
file.close()
for work in (lambda: writer.push(frame), writer.flush, writer.finish, writer.close):
    try:
        work()
        print("no error")
    except darkchunk.Error as error:
        print(type(error).__name__)
"""
    done = python(code, tmp_path / "run.h5")
    assert done.returncode == 0, done.stderr
    assert "no error" not in done.stdout and done.stdout.count("Error") == 4, done.stdout


def test_a_full_disk_is_reported_and_the_frames_are_stored_later(tmp_path):
    """As far as h5py lets it be seen: a file that may not grow, by the limit of the process."""
    code = """
import sys, signal, resource, h5py, numpy as np, darkchunk
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rng = np.random.default_rng(1)
frames = rng.integers(0, 1 << 15, (9, 64, 64)).astype("int16")
file = h5py.File(sys.argv[1], "w")
writer = darkchunk.Writer(file, "frames", (64, 64), "int16", darkchunk.LZ4(), flush_seconds=None, flush_frames=1)
seen = []
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for index, frame in enumerate(frames):
    if index == 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (36000, hard))
    if index == 7:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    while True:
        try:
            writer.push(frame)
        except darkchunk.NotStoredError:
            seen.append("not stored")
        except darkchunk.NotTakenError:
            seen.append("not taken")
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            continue
        break
writer.close()
file.close()
with h5py.File(sys.argv[1]) as file:
    assert (file["frames"][...] == frames).all()
print(len(seen))
"""
    done = python(code, tmp_path / "run.h5")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


FRAME = np.zeros(SHAPE, "int16")
BAD_PUSH = {
    "none": (TypeError, "numpy array", None),
    "a list": (TypeError, "numpy array", [[1, 2]]),
    "another type": (TypeError, "uint16", FRAME.astype("uint16")),
    "another order": (TypeError, ">i2", FRAME.astype(">i2")),
    "another shape": (ValueError, "shape", FRAME.T.copy()),
    "one row": (ValueError, "shape", FRAME[0]),
    "four dimensions": (ValueError, "shape", FRAME[None, None]),
}


@pytest.mark.parametrize("what", BAD_PUSH)
def test_a_frame_that_does_not_fit_is_refused_and_nothing_is_stored(tmp_path, what):
    kind, says, frame = BAD_PUSH[what]
    with h5py.File(tmp_path / "run.h5", "w") as file:
        with Writer(file, NAME, SHAPE, "int16") as writer:
            with pytest.raises(kind, match=says):
                writer.push(frame)
            writer.push(np.zeros((0, *SHAPE), "int16"))
            writer.push(np.asfortranarray(FRAME + 1))
        assert np.array_equal(file[NAME][...], [FRAME + 1])


BAD_WRITER = {
    "no file": (TypeError, "h5py", dict(at=None)),
    "a dataset": (TypeError, "h5py", dict(at="dataset")),
    "no name": (TypeError, "str", dict(name=None)),
    "null in the name": (ValueError, "null", dict(name="a\0b")),
    "empty name": (darkchunk.UnsupportedError, "empty", dict(name="")),
    "one dimension": (ValueError, "height, width", dict(shape=(3,))),
    "no pixels": (ValueError, "height and width", dict(shape=(0, 4))),
    "floats": (darkchunk.UnsupportedError, "integers", dict(dtype="f4")),
    "other byte order": (darkchunk.UnsupportedError, "byte order", dict(dtype=">i2")),
    "dark of another shape": (ValueError, "dark", dict(dark=FRAME[:3])),
    "dark of another type": (TypeError, "dark", dict(dark=FRAME.astype("f8"))),
    "several dark images": (ValueError, "dark", dict(dark=np.zeros((2, *SHAPE), "int16"))),
    "threshold": (ValueError, "threshold", dict(threshold=40000)),
    "no frames": (ValueError, "frames_per_chunk", dict(frames_per_chunk=0)),
    "seconds": (ValueError, "flush_seconds", dict(flush_seconds=-1)),
    "filter": (TypeError, "filter", dict(filter="gzip")),
    "unknown filter": (darkchunk.UnsupportedError, "none of darkchunk's", dict(filter=(1, (4,)))),
}


@pytest.mark.parametrize("what", BAD_WRITER)
def test_a_writer_that_cannot_be_is_refused_with_the_reason(tmp_path, what):
    kind, says, changed = BAD_WRITER[what]
    with h5py.File(tmp_path / "run.h5", "w") as file:
        arguments = dict(at=file, name=NAME, shape=SHAPE, dtype="int16") | changed
        if arguments["at"] == "dataset":
            arguments["at"] = file.create_dataset("a", data=FRAME)
        with pytest.raises(kind, match=says):
            Writer(**arguments)


def test_a_writer_that_is_refused_leaves_no_file_that_it_has_made(tmp_path):
    dark = np.zeros(SHAPE, "uint8")
    for options in ({"filter": darkchunk.DRLE(5)}, {"threshold": 3}, {"dark": dark}, {"name": "a\0b"}):
        with pytest.raises((darkchunk.Error, ValueError)):
            Writer(tmp_path / "run.h5", **{"name": NAME, "shape": SHAPE, "dtype": "uint8", **options})
        assert not list(tmp_path.iterdir())
    with h5py.File(tmp_path / "run.h5", "w") as file:
        with pytest.raises(darkchunk.Error):
            Writer(file, NAME, SHAPE, "uint8", darkchunk.DRLE(5))
        assert (tmp_path / "run.h5").exists() and not list(file)
        Writer(file, NAME, SHAPE, "uint8").close()


def test_what_is_there_is_not_overwritten(tmp_path):
    path = tmp_path / "run.h5"
    Writer(path, NAME, SHAPE, "int16").close()
    with pytest.raises(FileExistsError):
        Writer(path, NAME, SHAPE, "int16")
    with h5py.File(path, "r+") as file, pytest.raises(darkchunk.UnsupportedError):
        Writer(file, NAME, SHAPE, "int16")
    with h5py.File(path, "r") as file, pytest.raises(darkchunk.UnsupportedError):
        Writer(file, "other", SHAPE, "int16")
    with pytest.raises(KeyError):
        Writer.attach(path, "nothing")
    with pytest.raises(darkchunk.UnsupportedError):
        Writer.attach(path, "/entry")
    with h5py.File(path, "r+") as file:
        closed = file
    with pytest.raises(darkchunk.UnsupportedError, match="closed"):
        Writer(closed, "other", SHAPE, "int16")


def test_several_frames_are_overwritten_with_what_is_stored(tmp_path):
    frames = np.random.default_rng(1).integers(0, 40, (7, 16, 24)).astype("uint16")
    expected, given = np.where(frames < 20, 0, frames), frames.copy()
    drle = darkchunk.DRLE(20)
    with Writer(tmp_path / "run.h5", "run", (16, 24), "uint16", drle, frames_per_chunk=3) as writer:
        writer.push(given[:5], in_place=True)
        writer.push(given[5], in_place=True)
        with pytest.raises(ValueError, match="contiguous and writable"):
            writer.push(given[:, ::-1], in_place=True)
        assert writer.summary.n_pushed == 6
    np.testing.assert_array_equal(given[:6], expected[:6])
    np.testing.assert_array_equal(given[6], frames[6])
    with h5py.File(tmp_path / "run.h5") as file:
        np.testing.assert_array_equal(file["run"], expected[:6])
