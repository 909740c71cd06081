"""A recording that is killed (SIGKILL) comes back whole: by the command and from C, also where its file does not open."""

import os
import shutil
import subprocess

import h5py
import numpy as np
import pytest

from common import PLUGINS, environment
from test_c_programs import compile_program
from test_command import lines, run

SHAPE = (16, 32)
# What `frame_status` says of a frame that is not stored.
MISSING, LOST = 0, 6


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return compile_program("ffi/tests/killed.c", tmp_path_factory.mktemp("killed"))


@pytest.fixture(scope="module")
def left(program, tmp_path_factory):
    """What was left, how many frames were written before the kill, and how many are lost: one if it came when the
    journal had a frame already, and the file not yet."""
    file = tmp_path_factory.mktemp("left") / "run.h5"
    with subprocess.Popen([program, "record", file], stdout=subprocess.PIPE, text=True) as recording:
        n_written = 0
        while n_written < 700:
            n_written = int(recording.stdout.readline())
        recording.kill()
        said = [int(line) for line in recording.stdout.read().split("\n")[:-1]]
    journal = lines("recover", file, "-o", tmp_path_factory.mktemp("lost") / "new.h5", code=None)[-1]["journal"]
    assert journal["rows_lost"] == journal["chunks_lost"] <= 1
    return file, max([n_written, *said]), journal["rows_lost"]


@pytest.fixture
def copy(left, tmp_path):
    for path in left[0].parent.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path / "run.h5", *left[1:]


def check(path, n_written, has_rest=True):
    """How many frames there are, and how many of them are stored. Where several threads encode, on more than two cores,
    chunks are written in any order: then each of them but one may have had a frame that is before the last one."""
    with h5py.File(path) as file:
        frames, beside = file["scan/data"][:], file["scan/data_darkchunk"]
        n_frames, status = len(frames), beside["frame_status"][: len(frames)]
        is_there = status == 1
        n_there = int(is_there.sum())
        assert n_there >= n_written and frames.shape[1:] == SHAPE
        assert n_frames - n_there <= max(0, os.cpu_count() - 2) and set(status[~is_there]) <= {MISSING, LOST}
        expected = np.zeros((n_frames, SHAPE[0] * SHAPE[1]), "i2")
        number = np.arange(n_frames)
        expected[number, number % expected.shape[1]] = number % 30000 + 1
        expected[~is_there] = 0
        assert np.array_equal(frames.reshape(expected.shape), expected)
        assert np.array_equal(beside["pulse"][:n_frames][is_there], number[is_there])
        assert file["scan"].attrs.get("sample") == (42 if has_rest else None)
        assert ("software" in beside.attrs) == has_rest
    return n_frames, n_there


def test_the_command_restores_into_a_new_file_and_leaves_the_old_one(copy):
    file, n_written, n_lost = copy
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}
    new = file.with_name("new.h5")
    found = lines("recover", file, "-o", new, code=n_lost)
    n_frames, n_there = check(new, n_written)
    assert (found[0]["path"], found[0]["frames"]) == ("/scan/data", n_frames)
    assert found[-1]["journal"]["chunks"] == n_there and found[-1]["lost"] == []
    assert {name: (file.parent / name).read_bytes() for name in before} == before
    run("recover", file, "-o", new, code=2)
    assert "restored by the journal" in run("recover", file, "-o", file.with_name("again.h5"), code=n_lost)


def test_the_command_restores_in_place_and_keeps_what_was_left(copy):
    file, n_written, n_lost = copy
    before = file.read_bytes()
    assert "is kept" in run("recover", file, "--in-place", code=n_lost)
    check(file, n_written)
    names = sorted(path.name for path in file.parent.iterdir())
    assert names == ["run.h5", "run.h5.left", "run.h5.left.journal"]
    assert file.with_name("run.h5.left").read_bytes() == before
    # It can be done again from what is kept, and a file without a journal cannot.
    lines("recover", file.with_name("run.h5.left"), "-o", file.with_name("again.h5"), code=n_lost)
    assert "there is no" in run("recover", file, "--in-place", code=2)


def test_a_file_that_does_not_open_is_restored_and_what_is_lost_is_said(copy):
    file, n_written, _ = copy
    with file.open("r+b") as opened:
        opened.write(b"\0" * 512)
    new = file.with_name("new.h5")
    found = lines("recover", file, "-o", new, code=1)
    check(new, n_written, has_rest=False)
    assert found[-1]["copied"] == 0 and "not in the journal" in found[-1]["lost"][0]


def test_c_restores_with_its_own_hdf5(program, copy):
    file, n_written, n_lost = copy
    new = file.with_name("new.h5")
    call = {"check": True, "capture_output": True, "text": True, "env": environment(PLUGINS)}
    for to, made in [([new], new), ([], file)]:
        done = subprocess.run([program, "restore", file, *to], **call)
        _, n_there = check(made, n_written)
        assert [int(number) for number in done.stdout.split()] == [n_there, n_there + n_lost, 0, 0]
    subprocess.run([program, "misuse", file], **call)


def test_a_new_recording_to_a_file_with_a_journal_is_told_what_to_type(program, copy):
    file, *_ = copy
    done = subprocess.run([program, "record", file], capture_output=True, text=True, env=environment(PLUGINS))
    assert done.returncode == 1
    assert f"darkchunk recover {file} --in-place" in done.stderr
