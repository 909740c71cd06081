"""Ctrl-C: the source is as it was, the command says where it stood, and ends with 130."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from test_command import COMMAND, run
from test_command_convert import large, same


def begin(*arguments):
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable, HDF5_USE_FILE_LOCKING="FALSE")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(part) for part in (COMMAND, *arguments)], env=environment, **pipes)


def until(process, is_there):
    deadline = time.monotonic() + 120
    while process.poll() is None and not is_there() and time.monotonic() < deadline:
        time.sleep(0.002)


def stopped(number, begun, new=None):
    """Begins a command by `begun`, which returns when it is at work, and sends it a signal: its exit code, and what it said. One that was done
    before the signal came is begun again, without the file `new` that it made."""
    for _ in range(20):
        process = begun()
        process.send_signal(number)
        _, text = process.communicate(timeout=300)
        if process.returncode != 0:
            return process.returncode, text
        if new is not None:
            new.unlink()
    raise AssertionError("it was always done before the signal came, or did not mind it")


def at_work(folder, name, *arguments):
    """A command that has begun a file whose name begins so."""
    process = begin(*arguments)
    until(process, lambda: any(path.name.startswith(name) for path in folder.iterdir()))
    return process


def signals(process, kind, number):
    """Whether a signal is among those of this kind of a process: SigCgt are caught, ShdPnd wait to be handled."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return any(line.startswith(f"{kind}:") and int(line.split()[1], 16) >> (number - 1) & 1 for line in lines)
    return False


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_conversion_that_is_stopped_leaves_the_source_and_no_half_file(tmp_path, resume, number):
    large(tmp_path / "a.h5", 300)
    source = hashlib.sha256((tmp_path / "a.h5").read_bytes()).digest()
    options = ["-o", tmp_path / "b.h5", "--to", "zstd:9", *(["--resume"] if resume else [])]
    code, text = stopped(number, lambda: at_work(tmp_path, ".b.h5", "convert", tmp_path / "a.h5", *options), tmp_path / "b.h5")
    assert code == 128 + number, text
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

    def begun():
        process = begin("verify", tmp_path / "a.h5", tmp_path / "b.h5", "--json", "-j", 1)
        assert json.loads(process.stdout.readline())["file"].endswith("a.h5")
        return process

    code, text = stopped(signal.SIGINT, begun)
    assert code == 130 and "stopped in" in text and "of 2 files" in text, text


def test_a_recovery_that_is_stopped_leaves_no_new_file(tmp_path):
    large(tmp_path / "a.h5", 600)
    new = tmp_path / "b.h5"
    code, text = stopped(signal.SIGINT, lambda: at_work(tmp_path, ".b.h5", "recover", tmp_path / "a.h5", "-o", new, "-j", 1), new)
    assert code == 130 and "there is no new file" in text, text
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_second_signal_ends_the_command_at_once(tmp_path):
    large(tmp_path / "a.h5", 100)

    def begun():
        # When the handler is there, and the first signal has been handled: else two are one.
        process = begin("try", tmp_path / "a.h5", "--all", "--no-disk")
        until(process, lambda: signals(process, "SigCgt", signal.SIGINT))
        process.send_signal(signal.SIGINT)
        until(process, lambda: not signals(process, "ShdPnd", signal.SIGINT))
        return process

    code, text = stopped(signal.SIGINT, begun)
    assert code == 130, text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_part_that_is_stopped_leaves_no_file(tmp_path, number):
    large(tmp_path / "a.h5", 600)
    new = tmp_path / "b.npy"
    command = ("cat", f"{tmp_path / 'a.h5'}:/data", "-o", new, "-j", 1)
    code, text = stopped(number, lambda: at_work(tmp_path, ".b.npy", *command), new)
    assert code == 128 + number and "there is no new file" in text, text
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
