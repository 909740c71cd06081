"""Ctrl-C: the source is as it was, the command says where it stood, and ends with 130."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest

from test_command import COMMAND, run
from test_command_convert import large, same


def begin(*arguments):
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable, HDF5_USE_FILE_LOCKING="FALSE")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(part) for part in (COMMAND, *arguments)], env=environment, **pipes)


def until(process, is_there):
    deadline = time.monotonic() + 30
    while process.poll() is None and not is_there() and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_conversion_that_is_stopped_leaves_the_source_and_no_half_file(tmp_path, resume, number):
    large(tmp_path / "a.h5", 300)
    source = hashlib.sha256((tmp_path / "a.h5").read_bytes()).digest()
    options = ["-o", tmp_path / "b.h5", "--to", "zstd:9", *(["--resume"] if resume else [])]
    process = begin("convert", tmp_path / "a.h5", *options)
    until(process, lambda: any(path.name.startswith(".b.h5") for path in tmp_path.iterdir()))
    process.send_signal(number)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 128 + number, text
    assert "stopped while it had to" in text and "the file is as it was" in text and ("goes on" in text) == resume
    assert hashlib.sha256((tmp_path / "a.h5").read_bytes()).digest() == source
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [*([".b.h5.parts"] if resume else []), "a.h5"]
    run("convert", tmp_path / "a.h5", *options)
    same(tmp_path / "a.h5", tmp_path / "b.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_verify_says_in_which_file_it_was_stopped(tmp_path):
    large(tmp_path / "a.h5", 20)
    large(tmp_path / "b.h5", 600)
    process = begin("verify", tmp_path / "a.h5", tmp_path / "b.h5", "--json", "-j", 1)
    assert '"decodes"' in process.stdout.readline() or process.poll() is None
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped in" in text and "of 2 files" in text, text


def test_a_recovery_that_is_stopped_leaves_no_new_file(tmp_path):
    large(tmp_path / "a.h5", 600)
    process = begin("recover", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "-j", 1)
    until(process, lambda: any(path.name.startswith(".b.h5") for path in tmp_path.iterdir()))
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130 and "there is no new file" in text, text
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_second_signal_ends_the_command_at_once(tmp_path):
    large(tmp_path / "a.h5", 100)
    for _ in range(5):
        process = begin("try", tmp_path / "a.h5", "--all", "--no-disk")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        # Before the handler is there, the signal itself ends it.
        if process.returncode == 130:
            return
        assert process.returncode == -signal.SIGINT
        time.sleep(0.5)
    raise AssertionError("it never ended by its own code")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_part_that_is_stopped_leaves_no_file(tmp_path, number):
    large(tmp_path / "a.h5", 600)
    process = begin("cat", f"{tmp_path / 'a.h5'}:/data", "-o", tmp_path / "b.npy", "-j", 1)
    until(process, lambda: any(path.name.startswith(".b.npy") for path in tmp_path.iterdir()))
    process.send_signal(number)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 128 + number and "there is no new file" in text, text
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
