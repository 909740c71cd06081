"""Sparse frames, sums over frames and regions; and files that grow, their writer killed."""

import os
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import support
from support import FILTERS, frames

import darkchunk

SHAPE = (23, 33, 47)
MASKED = 65535


def stack():
    """With masked pixels, and one that DRLE stores as an exception."""
    made = frames("<u2", SHAPE)
    made[:, 5, 7], made[::3, 8, 9] = MASKED, 40000
    return made


def files(tmp_path):
    """Each filter; chunks of one frame, of several, and parts of frames."""
    for number, (filter, chunk) in enumerate(
        [(None, (1, 33, 47)), ("gzip", (4, 33, 47)), (None, (3, 10, 47))]
        + [(filter, (1 + n % 3, 33, 47)) for n, filter in enumerate(FILTERS) if filter.filter_options != (0, 1)]
    ):
        if isinstance(filter, darkchunk.DRLE) and "bare" in repr(filter):
            continue
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("a", data=stack(), chunks=chunk, compression=filter)
        yield path, f"{filter!r} {chunk}"


def test_sparse_sums_and_regions_are_those_of_the_images(tmp_path):
    whole = stack().astype(np.int64)
    labels = np.arange(33 * 47).reshape(33, 47) % 6 - 1
    for path, what in files(tmp_path):
        with darkchunk.open(path, "a", threads=2) as dataset:
            for ignore in (None, MASKED):
                kept = np.where(whole == ignore, 0, whole)[3:20]
                found = dataset.sparse(3, 20, ignore)
                assert (found.to_dense() == kept).all() and len(found.values) == np.count_nonzero(kept), what
                assert all((ours == theirs).all() for ours, theirs in zip(found.coo(), np.nonzero(kept), strict=True))
                assert (dataset.sum(3, 20, ignore) == kept.sum(axis=0)).all(), what
                greatest = np.where(whole == ignore, np.iinfo(np.int64).min, whole)[3:20].max(axis=0)
                greatest[(whole[3:20] == ignore).all(axis=0)] = 0
                assert (dataset.max(3, 20, ignore) == greatest).all(), what
                assert (dataset.count(3, 20, ignore) == np.count_nonzero(kept, axis=0)).all(), what
            found = dataset.regions(labels, 2, ignore=MASKED)
            for label in range(5):
                pixels = whole[2:][:, labels == label]
                kept = np.where(pixels == MASKED, 0, pixels)
                assert (found.sums[:, label] == kept.sum(axis=1)).all(), what
                assert (found.squares[:, label] == (kept**2).sum(axis=1)).all(), what
                assert (found.counts[:, label] == (pixels != MASKED).sum(axis=1)).all(), what
            running = dataset.reduction(MASKED)
            for first in range(3, 20, 4):
                running.add(dataset, first, min(20, first + 4))
            running.add(dataset, 20)
            found = dataset.reduce(3, 21, MASKED)
            assert all((one == other).all() for one, other in zip(running.all(), found, strict=True)), what
            assert len(running) == 18 and (running.sum == found.sum).all()
            one = dataset.sparse(22)
            assert len(one) == 1 and (one.to_dense()[0] == whole[22]).all()
            with pytest.raises(IndexError):
                dataset.sparse(23)
            with pytest.raises(ValueError, match="shape of a frame"):
                dataset.regions(labels[:5])
        # Its arrays are in memory of the library's, which they keep.
        values = one.values
        del one, dataset
        values[0] += 1
        assert values[0] == whole[22][whole[22] != 0][0] + 1, what


def test_what_has_no_frames_of_small_integers_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["floats"] = np.zeros((2, 3, 4))
        file["one"] = 5
    for name, error in [("floats", darkchunk.Error), ("one", darkchunk.Error)]:
        with darkchunk.open(tmp_path / "a.h5", name) as dataset, pytest.raises(error):
            dataset.sparse(0)


def test_a_refresh_beside_a_second_opening_of_the_dataset_is_refused_as_hdf5_breaks_it_then(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=stack(), chunks=(1, 33, 47), compression=darkchunk.Bitshuffle())
        file["b"] = 5
    with darkchunk.open(path, "a") as dataset, h5py.File(path) as file:
        for other in (lambda: darkchunk.open(path, "a"), lambda: darkchunk.from_h5py(file["a"]), lambda: file["a"]):
            opened, others = other(), file["b"]
            with pytest.raises(darkchunk.UnsupportedError, match="open more than once"):
                dataset.refresh()
            assert (dataset[7] == stack()[7]).all() and (opened[7] == stack()[7]).all() and others[()] == 5
            if isinstance(opened, darkchunk.Dataset):
                opened.close()
            del opened
            assert dataset.refresh() == SHAPE and (dataset[7] == stack()[7]).all()


# Frame i is all i + 1; the extent grows some frames before they are written.
WRITER = """
import sys, h5py, numpy as np, darkchunk
file = h5py.File(sys.argv[1], "w", libver="latest")
dataset = file.create_dataset("a", (0, 20, 30), "<u2", chunks=(1, 20, 30), maxshape=(None, 20, 30),
                              compression=darkchunk.Bitshuffle())
file.swmr_mode = True
print("ready", flush=True)
for first in range(0, 100_000, 5):
    dataset.resize(first + 5, axis=0)
    dataset.flush()
    for index in range(first, first + 5):
        dataset[index] = index % 60_000 + 1
        dataset.flush()
"""


def test_beside_a_writer_that_is_killed_a_frame_is_right_or_missing(tmp_path):
    rng, n_whole = np.random.default_rng(3), 0
    for turn in range(8 if support.IS_FULL else 3):
        path = tmp_path / f"{turn}.h5"
        command, env = [sys.executable, "-c", WRITER, path], support.environment(PYTHONPATH=os.pathsep.join(sys.path))
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as writer:
            try:
                assert writer.stdout.readline().strip() == b"ready"
                check_beside(writer, path, rng)
                n_whole += 1
            except (darkchunk.Error, OSError) as error:
                # The kill was amid a write.
                if writer.poll() is None or "incorrect metadata checksum" not in str(error):
                    raise
            finally:
                writer.kill()
    assert n_whole > 0


def check_beside(writer, path, rng):
    end = time.monotonic() + 0.3 + rng.random()
    with darkchunk.open(path, "a", swmr=True, threads=2) as dataset:
        assert dataset.wait(3, 120) >= 3
        while time.monotonic() < end or writer.poll() is None:
            if time.monotonic() >= end and writer.poll() is None:
                writer.kill()
                writer.wait()
            n_frames, n_stored = dataset.refresh()[0], dataset.n_stored
            for index in {0, max(0, n_stored - 1), *rng.integers(0, n_frames, 3).tolist()}:
                try:
                    assert (dataset[index] == index % 60_000 + 1).all(), index
                except darkchunk.MissingError:
                    assert index >= n_stored
        start = time.monotonic()
        assert dataset.wait(1_000_000, 0.3) < 1_000_000 and 0.25 < time.monotonic() - start < 60
        assert (dataset.sum(0, 3) == 6).all()


@pytest.mark.parametrize("block", [b"EAIB", b"OHDR"])
def test_what_a_kill_left_half_written_is_an_error_and_does_not_wait_for_ever(tmp_path, block):
    """As HDF5 would by itself."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("a", data=stack(), chunks=(1, 33, 47), maxshape=(None, 33, 47))
    sound = path.read_bytes()
    at = sound.rindex(block) + 20
    half_written = sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :]
    with darkchunk.open(path, "a", swmr=True) as dataset:
        path.write_bytes(half_written)
        if block == b"OHDR":
            with pytest.raises(darkchunk.Error, match="checksum"):
                dataset.refresh()
            with pytest.raises(darkchunk.UnsupportedError, match="open it anew"):
                dataset.refresh()
            assert (dataset[...] == stack()).all()
            return
    with darkchunk.open(path, "a", swmr=True) as dataset, pytest.raises(darkchunk.Error, match="checksum") as found:
        assert dataset.way == "hdf5" and "checksum" in dataset.reason
        dataset[5]
    assert "darkchunk recover" in darkchunk.explain(found.value)


def test_so_is_what_is_half_written_in_a_source_of_a_virtual_dataset(tmp_path):
    source, layout = tmp_path / "a.h5", h5py.VirtualLayout(SHAPE, "<u2")
    with h5py.File(source, "w", libver="latest") as file:
        file.create_dataset("a", data=stack(), chunks=(1, 33, 47), maxshape=(None, 33, 47))
    layout[:] = h5py.VirtualSource(source, "a", SHAPE)
    with h5py.File(tmp_path / "v.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("v", layout)
    with darkchunk.open(tmp_path / "v.h5", "v", swmr=True) as dataset:
        assert dataset.way == "direct" and (dataset[...] == stack()).all()
    sound = source.read_bytes()
    at = sound.rindex(b"EAIB") + 20
    source.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
    with darkchunk.open(tmp_path / "v.h5", "v", swmr=True) as dataset:
        assert dataset.way == "hdf5" and "checksum" in dataset.reason


# Of each thirty frames, three are vetoed; the last ones, too.
RECORDER = """
import sys, numpy as np, darkchunk
frame = np.ones((20, 30), "uint16")
path, wait = sys.argv[1], sys.stdin.readline
options = dict(least={"sum": 1}, swmr=True, frames_per_chunk=int(sys.argv[2]))
with darkchunk.Recorder(path, "/d", frame.shape, "uint16", **options) as recorder:
    for first in (0, 30):
        for number in range(first, first + 30):
            recorder.push(frame * (number % 30 not in (5, 20, 29)), number, copy=True)
        recorder.flush()
        print("flushed", flush=True)
        wait()
    recorder.push(frame, 62)
print("closed", flush=True)
"""


def test_frames_that_were_vetoed_do_not_end_the_wait_and_missing_ones_do(tmp_path):
    path = tmp_path / "run.h5"
    arguments = [sys.executable, "-c", RECORDER, str(path), "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    env = support.environment(PYTHONPATH=":".join(sys.path))
    with subprocess.Popen(arguments, **pipes, env=env, text=True) as recorder:
        assert recorder.stdout.readline().strip() == "flushed"
        with darkchunk.open(path, "/d", swmr=True, missing="fill") as dataset:
            assert dataset.wait(29, 120) >= 29 and dataset.n_stored == 5
            recorder.stdin.write("\n\n")
            recorder.stdin.flush()
            assert dataset.wait(59, 120) >= 59
            sums = [int(dataset[index].sum()) for index in range(59)]
            assert sums == [600 * (index % 30 not in (5, 20, 29)) for index in range(59)]
        assert recorder.stdout.read().split() == ["flushed", "closed"]
    with darkchunk.open(path, "/d", swmr=True) as dataset:
        # 60 and 61 never came.
        assert dataset.wait(63, 0) == 60 and dataset.shape[0] == 63
        with pytest.raises(darkchunk.MissingError, match="frame 5 was never stored: it was vetoed"):
            dataset[3:8]
        with pytest.raises(darkchunk.MissingError, match="may not be written yet"):
            dataset[60]
    with h5py.File(path, "r+") as file:
        del file["d_darkchunk/frame_status"]
    with darkchunk.open(path, "/d", missing="raise") as dataset:
        assert dataset.wait(63, 0) == 5
        with pytest.raises(darkchunk.MissingError, match="may not be written yet"):
            dataset[5]


@pytest.mark.parametrize("column", [np.zeros((2, 2), "u1"), np.full(9, 2, "i4"), np.full(7, 2, "u1"), np.uint8(2)])
def test_a_column_that_is_none_or_too_short_settles_nothing_more(tmp_path, column):
    with h5py.File(tmp_path / "run.h5", "w") as file:
        data = file.create_dataset("d", (9, 4, 4), "u2", chunks=(2, 2, 4), compression=darkchunk.Bitshuffle())
        data[:4], data[4:6, :2] = 1, 1
        file["d_darkchunk/frame_status"] = column
    with darkchunk.open(tmp_path / "run.h5", "d") as dataset:
        assert dataset.wait(9, 0) == (7 if column.shape == (7,) else 4) and dataset.n_stored == 4
