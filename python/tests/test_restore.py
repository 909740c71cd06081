"""`restore`: what a recording has left that was killed (SIGKILL)."""

import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from support import environment, result

import darkchunk

RECORD = """
import sys, h5py, numpy as np, darkchunk
with h5py.File(sys.argv[1], "w") as file:
    file["sample"] = "crystal 7"
    group = file.create_group("scan")
    columns = {"pulse": "u8"}
    options = {"columns": columns, "flush_seconds": None, "frames_per_chunk": 1}
    recorder = darkchunk.Recorder(group, "data", (8, 16), "uint16", darkchunk.Bitshuffle(), **options)
    number = 0
    while True:
        recorder.push(np.full((8, 16), number % 60000 + 1, "u2"), number, pulse=number)
        number += 1
        print(recorder.statistics.n_stored, flush=True)
"""


@pytest.fixture
def left(tmp_path):
    file = tmp_path / "run.h5"
    command = [sys.executable, "-c", RECORD, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as recording:
        n_written = 0
        while n_written < 300:
            n_written = int(recording.stdout.readline())
        recording.kill()
        said = [int(line) for line in recording.stdout.read().split("\n")[:-1]]
    return file, max([n_written, *said])


def check(path, n_written, found):
    with h5py.File(path) as file:
        frames = file["scan/data"][:]
        assert len(frames) >= n_written and found.n_chunks == len(frames)
        number = np.arange(len(frames))
        assert (frames == (number % 60000 + 1)[:, None, None]).all()
        assert (file["scan/data_darkchunk/pulse"][: len(frames)] == number).all()
        assert file["sample"][()] == b"crystal 7"
    assert found.lost == [] and found.n_copied == 1


def test_every_frame_that_was_written_comes_back(left, tmp_path):
    file, n_written = left
    check(tmp_path / "new.h5", n_written, darkchunk.restore(file, tmp_path / "new.h5"))
    with pytest.raises(darkchunk.Error, match="new.h5"):
        darkchunk.restore(file, tmp_path / "new.h5")
    check(file, n_written, darkchunk.restore(file))
    assert {path.name for path in tmp_path.iterdir()} == {"run.h5", "new.h5", "run.h5.left", "run.h5.left.journal"}
    for to in (tmp_path / "other.h5", None):
        with pytest.raises(darkchunk.Error, match="journal.*is not there.*nothing to restore"):
            darkchunk.restore(tmp_path / "new.h5", to)


def test_a_recorder_beside_a_left_journal_is_refused_and_told_what_to_type(left, tmp_path):
    other = tmp_path / "other.h5"
    shutil.copy(f"{left[0]}.journal", f"{other}.journal")
    with pytest.raises(darkchunk.Error, match=r"darkchunk recover .*other.h5 --in-place.* darkchunk.restore"):
        darkchunk.Recorder(other, "more", (8, 16), "uint16")


# To a full disk: no file grows beyond 1 MB, which the journal does not need.
FULL = """
import contextlib, json, os, resource, signal, sys, numpy as np, darkchunk
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rng = np.random.default_rng(1)
options = {"columns": {"pulse": "u8"}, "reserve_bytes": 0}
recorder = darkchunk.Recorder(sys.argv[1], "data", (64, 64), "uint16", **options)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
for number in range(200):
    with contextlib.suppress(darkchunk.NotStoredError):
        recorder.push(rng.integers(0, 60000, (64, 64), "u2"), number, copy=True, pulse=number)
said = ""
# Not even the index can be written.
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
try:
    recorder.abandon()
except darkchunk.NotStoredError as error:
    said = str(error)
print(json.dumps([said, recorder.statistics.n_stored, recorder.statistics.n_lost]), flush=True)
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the disk is a limit of the system for files")
def test_frames_that_a_full_disk_lost_are_counted_and_marked_in_what_is_restored(tmp_path):
    said, n_stored, n_lost = result(FULL, tmp_path / "run.h5")
    assert n_stored + n_lost == 200 and n_lost > 50
    assert f"{n_lost} frames are lost, {n_stored} are stored in the file" in said and "abandon it again" in said
    found = darkchunk.restore(tmp_path / "run.h5", tmp_path / "new.h5")
    assert (found.n_rows, found.n_lost_rows) == (200, n_lost)
    with h5py.File(tmp_path / "new.h5") as file:
        status = file["data_darkchunk/frame_status"][:]
        assert [int((status == n).sum()) for n in (1, 6)] == [n_stored, n_lost]
        assert file["data_darkchunk/pulse"][:].tolist() == list(range(200))
