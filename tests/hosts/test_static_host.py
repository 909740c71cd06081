"""A program that cannot be called back: parameters stay as they are given, and reading and writing work."""

import shutil
import subprocess
from pathlib import Path

import pytest

from common import BITSHUFFLE, BLOSC, DRLE, HERE, LZ4, ZSTD, child, environment

STATIC = Path("/usr/lib/x86_64-linux-gnu/libhdf5_serial.a")
HEADERS = Path("/usr/include/hdf5/serial")
LIBRARIES = ["-lcurl", "-lcrypto", "-lsz", "-lz", "-ldl", "-lm", "-lpthread"]

# Parameters as they are stored for chunks of 4 x 33 x 47 int16.
COMPLETE = {
    DRLE: [1, 0, 0, 1, 1, 1551, 12408],
    BITSHUFFLE: [0, 4, 2, 0, 2, 0, 12408],
    BLOSC: [2, 2, 2, 12408, 5, 1, 1],
    LZ4: [0, 12408],
    ZSTD: [3],
}


def build(folder, *flags):
    if not (shutil.which("gcc") and STATIC.exists() and HEADERS.exists()):
        pytest.skip("Debian's libhdf5-dev is not here")
    program = folder / "host"
    command = ["gcc", "-Wall", "-Wextra", "-Werror", f"-I{HEADERS}", HERE / "static_host.c", *flags, "-o", program]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and "cannot find -l" in done.stderr:
        pytest.skip(f"a library of Debian's libhdf5 is not here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return program


def run(program, path, number=None, values=()):
    command = [program, path, *([] if number is None else [number, *values])]
    done = subprocess.run(list(map(str, command)), env=environment(), capture_output=True, text=True)
    return done.returncode, [int(word) for word in done.stdout.split()], done.stderr


@pytest.fixture(scope="module")
def static_host(tmp_path_factory):
    return build(tmp_path_factory.mktemp("static"), STATIC, *LIBRARIES)


@pytest.fixture(scope="module")
def exporting_host(tmp_path_factory):
    return build(tmp_path_factory.mktemp("exporting"), "-rdynamic", "-Wl,--whole-archive", STATIC,
                 "-Wl,--no-whole-archive", *LIBRARIES)


@pytest.mark.parametrize("number", COMPLETE)
def test_complete_parameters_are_all_a_hidden_hdf5_needs(static_host, tmp_path, number):
    assert run(static_host, tmp_path / "file.h5", number, COMPLETE[number]) == (0, COMPLETE[number], "")


@pytest.mark.parametrize("number, values", [(LZ4, []), (LZ4, [4096]), (ZSTD, [3])])
def test_parameters_of_a_hidden_hdf5_stay_as_they_are_given(static_host, tmp_path, number, values):
    assert run(static_host, tmp_path / "file.h5", number, values) == (0, values, "")


@pytest.mark.parametrize("number, values", [(DRLE, [1]), (BITSHUFFLE, [0, 2])])
def test_what_cannot_be_written_with_them_fails_and_does_not_crash(static_host, tmp_path, number, values):
    code, _, stderr = run(static_host, tmp_path / "file.h5", number, values)
    assert code in (4, 5) and "filter returned failure" in stderr


@pytest.mark.parametrize("number", COMPLETE)
def test_a_program_that_exports_its_hdf5_is_called_back(exporting_host, tmp_path, number):
    given = {DRLE: [1], BITSHUFFLE: [0, 2], BLOSC: [0, 0, 0, 0, 5, 1, 1], LZ4: [], ZSTD: [3]}[number]
    assert run(exporting_host, tmp_path / "file.h5", number, given) == (0, COMPLETE[number], "")


def test_what_contradicts_its_parameters_is_read_only_where_hdf5_can_be_asked(static_host, exporting_host, tmp_path):
    claims = {"right": 12408, "wrong": 12406}
    for name, claimed in claims.items():
        path = tmp_path / f"{name}.h5"
        child("write_for_static_host", path=path, values=[0, claimed], plugin_path=tmp_path / "none")
        assert run(exporting_host, path) == (0, [0, claimed], "")
    assert run(static_host, tmp_path / "right.h5") == (0, [0, 12408], "")
    code, _, stderr = run(static_host, tmp_path / "wrong.h5")
    assert code == 6 and "filter returned failure" in stderr


def test_a_hidden_hdf5_does_not_write_what_it_would_not_read(static_host, tmp_path):
    code, _, stderr = run(static_host, tmp_path / "file.h5", LZ4, [0, 12406])
    assert code in (4, 5) and "filter returned failure" in stderr
