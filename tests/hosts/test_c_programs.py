"""Files that C programs write with libdarkchunk and Debian's HDF5 1.10, read by unchanged programs through the plugin."""

import subprocess

import h5py
import numpy as np
import pytest

from common import PLUGINS, ROOT, environment, tool

LIBRARY = PLUGINS.parent / "lib"
HEADERS = PLUGINS.parent / "include"
FLAGS = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"]


def compile_program(source, folder, more=()):
    """A program of the repository, linked with Debian's HDF5, our library, and what `more` says."""
    program = folder / "program"
    multiarch = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
    hdf5 = ["-I/usr/include/hdf5/serial", f"-L/usr/lib/{multiarch}/hdf5/serial", "-lhdf5"]
    ours = [f"-I{HEADERS}", f"-L{LIBRARY}", "-ldarkchunk", f"-Wl,-rpath,{LIBRARY}"]
    command = ["gcc", *FLAGS, str(ROOT / source), "-o", str(program), *more, *ours, *hdf5, "-lm", "-lpthread"]
    subprocess.run(command, check=True)
    return program


def record(source, folder, plugin_path):
    """Compiles a program, runs it, and returns the file it wrote."""
    program, file = compile_program(source, folder), folder / "recorded.h5"
    done = subprocess.run([program, file], env=environment(plugin_path), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture(params=["with plugins", "without plugins"])
def plugin_path(request, tmp_path):
    """The program that writes needs no plugin; where there is one, HDF5 shows it the parameters."""
    return PLUGINS if request.param == "with plugins" else tmp_path


def test_frames_that_a_program_encodes_and_writes_itself(tmp_path, plugin_path):
    file = record("examples/acquire.c", tmp_path, plugin_path)
    with h5py.File(file, "r") as opened:
        images = opened["images"]
        assert images.shape == (103, 256, 320) and images.dtype == np.int16 and images.chunks == (5, 256, 320)
        assert np.array_equal(images[:].sum(axis=0, dtype=np.int64), opened["sum"][()])
        assert opened["sum"][()].any() and images[102].any()
    done = tool("h5dump", "-d", "images", "-s", "102,0,0", "-c", "1,2,2", file)
    assert done.returncode == 0, done.stderr


def test_a_recording_by_the_c_writer_with_threads(tmp_path, plugin_path):
    file = record("examples/record.c", tmp_path, plugin_path)
    with h5py.File(file, "r") as opened:
        images = opened["/entry/instrument/detector/data"]
        beside = opened["/entry/instrument/detector/data_darkchunk"]
        assert images.shape == (200, 512, 512) and images.dtype == np.int16 and images.chunks == (16, 512, 512)
        assert np.array_equal(images[:].sum(axis=0, dtype=np.int64), beside["sum"][()])
        assert all((images[n] > 0).sum() > 300 for n in (0, 15, 16, 199)), "frames with spots, to the last"
        assert np.array_equal(beside["dark"][()].ravel(), 100 + np.arange(512 * 512) % 7)
        assert (beside.attrs["frames"], beside.attrs["threshold"]) == (200, 20)


def test_a_recording_of_the_c_writer_shows_itself(tmp_path, plugin_path):
    file = record("ffi/tests/writer.c", tmp_path, plugin_path)
    with h5py.File(file, "r") as opened:
        entry = opened[opened.attrs["default"]]
        plot = entry[entry.attrs["default"]]
        data = plot[plot.attrs["signal"]]
        assert (entry.attrs["NX_class"], plot.attrs["NX_class"]) == ("NXentry", "NXdata")
        assert data.shape == (10, 40, 64) and data == opened["/entry/instrument/detector/data"]
        frames, beside = data[:], opened["/entry/instrument/detector/data_darkchunk"]
        assert np.array_equal(frames.sum(axis=0, dtype=np.uint64), beside["sum"][()])
        assert np.array_equal(opened["/entry/sum_image/sum"][()], beside["sum"][()])
        pixels = np.arange(40 * 64)
        raw = [np.where(pixels % (n + 3) == 0, 1000 + pixels + n, pixels % 10).reshape(40, 64) for n in range(10)]
        assert np.array_equal(frames, np.where(np.array(raw) >= 100, raw, 0))
        zeroed = np.array(raw)[np.array(raw) < 100]
        counts = {name: beside.attrs[name] for name in ("frames", "threshold", "pixels_zeroed", "zeroed_sum")}
        expected = {"frames": 10, "threshold": 100, "pixels_zeroed": (zeroed > 0).sum(), "zeroed_sum": zeroed.sum()}
        assert counts == expected and beside.attrs["pixels_bright"] == (frames > 0).sum()
