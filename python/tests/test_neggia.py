"""A recording that XDS reads by neggia, the plugin of DECTRIS: what neggia 1.2 asks for, and its frames.

Frames are read where DARKCHUNK_NEGGIA names the plugin, `dectris-neggia.so`, built of the source of dectris/neggia.
"""

import ctypes as c
import os

import h5py
import numpy as np
import pytest

import darkchunk
from darkchunk import Recorder

SHAPE = (150, 170)
NAME = "/entry/instrument/detector/data"
N_FRAMES = 12


def frames_of(dtype):
    rng = np.random.default_rng(3)
    frames = rng.poisson(0.3, (N_FRAMES, *SHAPE)).astype(dtype)
    frames[:, 7, 9] = np.iinfo(dtype).max
    return frames


def record(path, dtype):
    """Records, and adds what an MX file has besides."""
    frames = frames_of(dtype)
    with h5py.File(path, "w") as file:
        with Recorder(file, NAME, SHAPE, dtype, darkchunk.Bitshuffle(), nexus=True) as recorder:
            recorder.push_many(frames[::-1], range(N_FRAMES - 1, -1, -1))
        detector = file["/entry/instrument/detector"]
        detector["x_pixel_size"], detector["y_pixel_size"] = np.float32(75e-6), np.float32(76e-6)
        specific = detector.create_group("detectorSpecific")
        specific["nimages"], specific["ntrigger"] = np.uint32(N_FRAMES), np.uint32(1)
        mask = np.zeros(SHAPE, "uint32")
        mask[3, 4], mask[5, 6] = 1, 2
        specific["pixel_mask"] = mask
    return frames, mask


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_a_recording_has_what_neggia_asks_for(tmp_path, dtype):
    path = tmp_path / "run.h5"
    record(path, dtype)
    assert path.read_bytes()[8] == 0, "in the format of 1.10 it reads four frames of a dataset that grows"
    with h5py.File(path) as file:
        # A link in the same file, which it follows, and no data_000001: then it takes this.
        assert file.get("/entry/data/data", getlink=True) and "data_000001" not in file["/entry/data"]
        data = file["/entry/data/data"]
        assert data.chunks == (1, *SHAPE) and data.dtype == dtype and len(data.shape) == 3
        # At most one filter: bitshuffle, of which it looks at the size of an element and the compression.
        properties = data.id.get_create_plist()
        assert properties.get_nfilters() == 1
        number, _, values, _ = properties.get_filter(0)
        assert number == 32008 and values[2] == np.dtype(dtype).itemsize and values[4] == 2
        assert data.id.get_num_chunks() == N_FRAMES, "it ends the program where a frame is missing"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_neggia_reads_what_was_pushed(tmp_path, dtype):
    plugin = os.environ.get("DARKCHUNK_NEGGIA")
    if plugin is None:
        pytest.skip("DARKCHUNK_NEGGIA names no dectris-neggia.so")
    neggia, flag, info = c.CDLL(plugin), c.c_int(-99), (c.c_int * 1024)()
    frames, mask = record(tmp_path / "run.h5", dtype)
    neggia.plugin_open(os.fsencode(tmp_path / "run.h5"), info, c.byref(flag))
    assert flag.value == 0
    nx, ny, n_bytes, n_frames, qx, qy = c.c_int(), c.c_int(), c.c_int(), c.c_int(), c.c_float(), c.c_float()
    numbers = [c.byref(number) for number in (nx, ny, n_bytes, qx, qy, n_frames)]
    neggia.plugin_get_header(*numbers, info, c.byref(flag))
    assert flag.value == 0
    assert (ny.value, nx.value, n_bytes.value, n_frames.value) == (*SHAPE, np.dtype(dtype).itemsize, N_FRAMES)
    assert (qx.value, qy.value) == (np.float32(75e-6), np.float32(76e-6))
    for index, frame in enumerate(frames):
        found, number = np.empty(SHAPE, "int32"), c.c_int(index + 1)
        pointer = found.ctypes.data_as(c.POINTER(c.c_int))
        neggia.plugin_get_data(c.byref(number), c.byref(nx), c.byref(ny), pointer, info, c.byref(flag))
        # XDS has int32: what it masks, and the largest number of a type, is -1, or -2.
        expected = np.where(frame == np.iinfo(dtype).max, -1, frame.astype("i8"))
        expected[mask == 1], expected[mask == 2] = -1, -2
        assert flag.value == 0 and np.array_equal(found, expected), index
    neggia.plugin_close(c.byref(flag))
