"""The program that prints all numbers of raw frames."""

import json
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="session")
def program():
    command = ["cargo", "build", "--quiet", "--profile", "test", "--package", "darkchunk-metrics", "--example", "numbers",
               "--message-format", "json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    built = [json.loads(line).get("executable") for line in lines]
    return next(path for path in reversed(built) if path)


@pytest.fixture(scope="session")
def numbers(program, tmp_path_factory):
    """Calls it: report, verdict, technique; a technique has its numbers and the images of its slices."""

    def call(x, y, data_range, technique=None):
        folder = tmp_path_factory.mktemp("frames")
        x.tofile(folder / "x")
        y.tofile(folder / "y")
        command = [program, str(x.dtype), *map(str, x.shape[1:]), str(folder / "x"), str(folder / "y"), str(data_range)]
        command += [technique] if technique else []
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return call
