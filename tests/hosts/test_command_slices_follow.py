"""`darkchunk slices run --follow`: a file that another program writes meanwhile."""

import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from test_command import COMMAND, run
from test_command_slices import compiled
from test_command_slices_ended import COPY, environment, noted, wait_until, written_down

N = 26

# Frames of a file, one after the other: a chunk has four, and is written anew with each of them. `how` says what else is done. After some
# frames it waits for a file of this number of frames.
WRITER = """
import os, sys, time
import h5py, numpy as np
path, n, how, waits = sys.argv[1], int(sys.argv[2]), sys.argv[3], [int(text) for text in sys.argv[4:]]
frames = np.random.default_rng(5).integers(0, 900, (n + 1, 40, 60), "u2")
shape, chunk = ((0, 40, 60), (4, 20, 60)) if how != "rows" else ((2, 0, 60), (1, 8, 60))
file = h5py.File(path, "w", libver="latest" if how != "old" else None)
data = file.create_dataset("data", shape, "u2", chunks=chunk, maxshape=(None, None if how == "rows" else 40, 60), compression="gzip")
if how != "old":
    file.swmr_mode = True
file.flush()
time.sleep(1)
for frame in range(n):
    while frame in waits and not os.path.exists(path + "." + str(frame)):
        time.sleep(0.05)
    time.sleep(0.05)
    if how == "rows":
        data.resize(frame + 1, 1)
    else:
        data.resize(frame + 1, 0)
        data[frame] = frames[frame]
    if how == "old":
        file.close()
        file = h5py.File(path, "a")
        data = file["data"]
    file.flush()
if how == "again":
    data[2] = frames[n]
    time.sleep(1.5)
file.close()
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("follow"), COPY)


def writer(path, how="swmr", n=N, waits=()):
    environment_of_writer = dict(environment(), HDF5_USE_FILE_LOCKING="TRUE" if how == "old" else "FALSE")
    arguments = [sys.executable, "-c", WRITER, path, n, how, *waits]
    return subprocess.Popen(list(map(str, arguments)), env=environment_of_writer)


def wait_for_slices(seen, n, following):
    """Until so many are done."""
    wait_until(lambda: len(written_down(seen)) >= n, following)


def command(path, library, to, *more, told=()):
    return ["slices", "run", path, "-l", library, "-o", to, "-j", 2, *more, "--", "axis=0", *told]


def start(arguments):
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([str(COMMAND), *map(str, arguments)], env=environment(), **how)


def wait_for(path, writing):
    wait_until(path.exists, writing)


def same_as_plain(path, library, to, told):
    """Whether a run over the finished file gives the same bytes."""
    plain = to.with_name("plain.h5")
    run(*command(path, library, plain, told=told))
    with h5py.File(path) as file, h5py.File(plain) as made:
        done = made["entry/process/status"][:] == 0
        assert (made["copies"][:][done] == file["data"][:][done]).all()
    return to.read_bytes() == plain.read_bytes()


def left(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("told", [[], ["block=3"], ["after=2"]])
def test_slices_come_as_they_are_written_and_the_file_is_as_of_a_run_afterwards(library, tmp_path, told):
    path, to, seen = tmp_path / "run.h5", tmp_path / "out.h5", tmp_path / "seen"
    told = [f"seen={seen}", *told]
    writing = writer(path, waits=[22])
    wait_for(path, writing)
    following = start(command(path, library, to, "--follow", told=told))
    wait_for_slices(seen, 16, following)
    (tmp_path / "run.h5.22").touch()
    text = " ".join(following.communicate(timeout=300)[0].split())
    assert writing.wait(timeout=120) == 0
    assert following.returncode == 0 and "its writer has closed it" in text and f"{N} slices done" in text, text
    assert "of these before it was finished" in text, text
    assert sorted(map(int, seen.read_text().split())) == list(range(N)), "each slice once"
    assert same_as_plain(path, library, to, told) and not left(tmp_path)


def test_a_writer_that_closes_the_file_from_frame_to_frame_is_followed_for_a_time(library, tmp_path):
    path, to = tmp_path / "run.h5", tmp_path / "out.h5"
    writing = writer(path, "old", waits=[1])
    wait_for(path, writing)
    # Longer than the writer can be kept from its next frame.
    following = start(command(path, library, to, "--follow", "--idle", 8))
    # The writer goes on when it was seen, which is where it has the file open. One that was not seen is looked for by
    # its lock, which HDF5 cannot have at that moment: then the writer could not open the file again.
    assert following.stdout.readline(), "it has ended"
    (tmp_path / "run.h5.1").touch()
    assert writing.wait(timeout=300) == 0
    text = " ".join(following.communicate(timeout=300)[0].split())
    assert following.returncode == 0 and "it has not grown for 8 s" in text and f"{N} slices done" in text, text
    assert same_as_plain(path, library, to, [])


def test_what_is_written_anew_after_it_was_read_is_done_again(library, tmp_path):
    path, to, seen = tmp_path / "run.h5", tmp_path / "out.h5", tmp_path / "seen"
    writing = writer(path, "again", waits=[22])
    wait_for(path, writing)
    told = [f"seen={seen}"]
    following = start(command(path, library, to, "--follow", told=told))
    wait_for_slices(seen, 16, following)
    (tmp_path / "run.h5.22").touch()
    text = following.communicate(timeout=300)[0]
    assert writing.wait(timeout=120) == 0 and following.returncode == 0, text
    assert same_as_plain(path, library, to, told)
    numbers = [int(number) for number in seen.read_text().split()]
    assert numbers.count(2) == 3, "as it was first, as it is now, and in the plain run"


def test_a_library_that_stops_and_a_slice_that_fails_are_as_in_a_run_afterwards(library, tmp_path):
    for how, code in [("stop", 0), ("fail", 1)]:
        folder = tmp_path / how
        folder.mkdir()
        path, to, told = folder / "run.h5", folder / "out.h5", [f"how={how}", "at=5"]
        writing = writer(path, n=14)
        wait_for(path, writing)
        following = start(command(path, library, to, "--follow", "--keep-going", told=told))
        text = following.communicate(timeout=300)[0]
        assert writing.wait(timeout=120) == 0 and following.returncode == code, text
        plain = folder / "plain.h5"
        run(*command(path, library, plain, "--keep-going", told=told), code=code)
        assert to.read_bytes() == plain.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_what_is_done_at_ctrl_c_is_kept(library, tmp_path):
    path, to, seen = tmp_path / "run.h5", tmp_path / "out.h5", tmp_path / "seen"
    told = [f"seen={seen}"]
    writing = writer(path, waits=[13, 22])
    wait_for(path, writing)
    kept, n_seen = 0, 0
    # All but the last chunk that is there are complete.
    for n_done, wait in [(12, 13), (20, 22)]:
        following = start(command(path, library, to, "--follow", "--resume", told=told))
        # The writer waits: nothing else can be done.
        wait_until(lambda: noted(tmp_path, "out.h5") == n_done, following)
        following.send_signal(signal.SIGINT)
        text = " ".join(following.communicate(timeout=120)[0].split())
        (tmp_path / f"run.h5.{wait}").touch()
        assert following.returncode == 130 and "--resume goes on with it" in text and not to.exists(), text
        assert len(left(tmp_path)) == 2, "one unfinished file and its manifest"
        numbers = [int(number) for number in seen.read_text().split()]
        assert min(numbers[n_seen:]) == kept, "it goes on after what was kept"
        kept, n_seen = int(text.split("up to slice ")[1].split()[0]), len(numbers)
        assert kept == n_done
    assert writing.wait(timeout=120) == 0
    refused = run(*command(path, library, to, told=told), code=2)
    assert "an earlier run has begun" in " ".join(refused.split())
    run(*command(path, library, to, "--resume", told=told))
    assert not left(tmp_path)
    numbers = [int(number) for number in seen.read_text().split()]
    assert set(numbers) == set(range(N)) and min(numbers[n_seen:]) == kept
    assert same_as_plain(path, library, to, told)


def test_what_cannot_be_followed_is_said(library, tmp_path):
    path, to = tmp_path / "run.h5", tmp_path / "out.h5"
    writing = writer(path, "rows", n=100_000)
    wait_for(path, writing)
    following = start(command(path, library, to, "--follow"))
    text = " ".join(following.communicate(timeout=120)[0].split())
    assert following.returncode == 2 and "grows along another axis than slicing axis 1" in text, text
    writing.kill()
    writing.wait()
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file["data"] = np.zeros((5, 6, 7), "u2")
    # Somebody has it open to write: else it may be taken for finished before it is looked at, and is no error then.
    with open(tmp_path / "one.h5", "rb+"):
        text = " ".join(run(*command(tmp_path / "one.h5", library, to, "--follow"), code=2).split())
    assert "cannot be followed: it is not stored in chunks" in text
    assert "cannot be used with" in run(*command(path, library, to, "--follow", "--parts", 2), code=2)
    assert "--follow" in run(*command(path, library, to, "--idle", 2), code=2)
    assert "no seconds" in run(*command(path, library, to, "--follow", "--idle", 0), code=2)
    assert not left(tmp_path)
