"""`docs/bounded_reader.py`, which knows docs/format.md and nothing of us, reads what we write and refuses what is damaged."""

import itertools
import re
import sys
import warnings

import h5py
import numpy as np
import pytest

from common import BOUNDED, HERE, ROOT

sys.path[:0] = [str(ROOT / "docs"), str(HERE.parent / "corpus")]

import bounded_reader  # noqa: E402
import cases as corpus  # noqa: E402

SHAPE = (6, 19, 35)
TYPES = ["u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">u4", "<i4", ">i4"]
NONE, MEAN, PREVIOUS = 1, 2, 3
GIVEN = {
    "exact": (0,),
    "exact-previous": (0, 0, 0, 0, 0, 0, 0, 0, 0, PREVIOUS),
    "absolute": (1, 2, 0, 0, 0, 0, 0, 0, 0, MEAN),
    "only-zeros-become-0": (1, 4, 0, 0, 0, 0, 0, 0, 2, PREVIOUS, 200),
    "absolute-unbiased": (1, 5, 0, 0, 0, 0, 0, 0, 3, NONE),
    "noise": (2, 1),
    "noise-of-a-camera": (2, 1, 2, 41, 20, 98, 47, 10, 0, PREVIOUS, 3000),
    "noise-unbiased": (2, 2, 1, 1, 1, 2**32 - 300, 9, 4, 1, MEAN),
    "noise-of-negative-values": (2, 3, 1, 1, 1, 2**32 - 50, 0, 1, 8 + 2, MEAN),
}


def golden(name):
    return bytes.fromhex("".join((ROOT / f"tests/golden/bounded-{name}.hex").read_text().split()))


def scene():
    """That of tests/golden.rs."""
    state, pixels = 7, {(4, 7): 65535, (6, 3): 60000}

    def pixel(y, x):
        nonlocal state
        if (y, x) in pixels:
            return pixels[y, x]
        state = (state * 1664525 + 1013904223) % 2**32
        return 100 + 40 * y + 7 * x + (state >> 24) % 24

    return np.array([[[pixel(y, x) for x in range(20)] for y in range(9)] for _ in range(4)])


def image(dtype):
    """Counts about a ramp, hot pixels, a gap, one frame nearly empty and one of one value."""
    rng = np.random.default_rng(5)
    dtype, info = np.dtype(dtype), np.iinfo(dtype)
    data = rng.poisson(3 + np.arange(SHAPE[2]) * 5, SHAPE)
    data[2] = np.where(rng.random(SHAPE[1:]) < 0.02, 90, 0)
    data[3] = 7
    data[:, :, 11] = info.max
    data[rng.random(SHAPE) < 0.01] = info.max - 1
    if info.min < 0:
        data[rng.random(SHAPE) < 0.05] = -3
    return np.clip(data, info.min, info.max).astype(dtype)


def halves(number):
    return np.array([number], "<f8").view("<u4").tolist()


FLOATS = {
    "exact": (0,),
    "absolute": (3, *halves(0.01)),
    "whole": (1, 3, 0, 0, 0, 0, 0, 0, 16, MEAN),
    "relative": (4, *halves(1e-4), 0, 0, 0, 0, 0, 0, PREVIOUS),
    "tight": (3, *halves(1e-7), 0, 0, 0, 0, 0, 16, MEAN),
}


def floats(dtype):
    """Noise about a slope, zeros of both signs, NaN of several kinds, infinities and what is beyond all levels."""
    rng = np.random.default_rng(6)
    data = (np.linspace(-2, 40, SHAPE[2]) + rng.normal(0, 0.1, SHAPE)).astype(dtype)
    data[2] = np.where(rng.random(SHAPE[1:]) < 0.02, 90, 0)
    data[3] = 7
    data[:, :, 11] = np.nan
    for value in (-0.0, np.inf, -np.inf, 1e30, -3e38, 1e-42):
        data[rng.random(SHAPE) < 0.001] = value
    bits = data.view(data.dtype.str.replace("f", "u"))
    odd = rng.random(SHAPE) < 0.003
    bits[odd] = 0x7FC00000 + rng.integers(1, 1000, odd.sum())
    return data


def stored(path, data, given):
    """The stored chunk, its parameters, and what the plugin makes of it."""
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("frames", data=data, chunks=SHAPE, compression=BOUNDED, compression_opts=given)
        file.flush()
        mask, chunk = dataset.id.read_direct_chunk((0, 0, 0))
        values = dataset.id.get_create_plist().get_filter(0)[2]
    assert mask == 0
    with h5py.File(path) as file:
        return chunk, values, file["frames"][...]


@pytest.mark.parametrize("name", ["exact-le", "exact-be", "absolute", "noise", "unbiased"])
def test_golden_chunks_are_read(name):
    most = {"absolute": 3, "noise": 8, "unbiased": 122}.get(name, 0)
    found, expected = bounded_reader.decode(golden(name)), scene()
    assert found.dtype.byteorder in "=<|" if name not in ("exact-be", "unbiased") else found.dtype.byteorder == ">"
    assert np.abs(found.astype(int) - expected).max() <= most
    sentinels = expected == 65535
    assert np.array_equal(found == 65535, sentinels)


@pytest.mark.parametrize("name, most", [("exact", 0), ("absolute", 0.5), ("relative", 1e27), ("be", 0.01)])
def test_golden_chunks_of_floats_are_read(name, most):
    found = bounded_reader.decode(golden(f"float-{name}"))
    counts, at = scene(), np.arange(720).reshape(4, 9, 20)
    expected = (counts.astype("f4") / np.float32(7) - np.float32(40)).astype("f4")
    expected[at % 305 == 175] = 1e30
    expected[at % 61 == 7] = -0.0
    expected[counts == 60000], expected[counts == 65535] = np.inf, np.nan
    is_number = np.isfinite(expected)
    assert np.array_equal(found[~is_number], expected[~is_number], equal_nan=True)
    assert np.abs(found[is_number].astype(float) - expected[is_number]).max() <= most
    assert most or found.tobytes() == expected.astype(found.dtype).tobytes()


def test_runs_and_frames_of_one_value_are_read():
    found = bounded_reader.decode(golden("sparse"))
    assert found.shape == (2, 13, 27) and (found[1] == 3).all() and 5 < (found[0] > 0).sum() < 60


@pytest.mark.parametrize("name, dtype", list(itertools.product(GIVEN, TYPES))[::3])
def test_every_chunk_that_the_plugin_writes_is_read(tmp_path, name, dtype):
    chunk, values, expected = stored(tmp_path / "file.h5", image(dtype), GIVEN[name])
    found = bounded_reader.decode(chunk, values)
    assert found.dtype == expected.dtype and np.array_equal(found, expected)


@pytest.mark.parametrize("name, dtype", list(itertools.product(FLOATS, ["<f4", ">f4"])))
def test_every_chunk_of_floats_that_the_plugin_writes_is_read(tmp_path, name, dtype):
    data = floats(dtype)
    chunk, values, expected = stored(tmp_path / "file.h5", data, FLOATS[name])
    found = bounded_reader.decode(chunk, values)
    assert found.dtype == expected.dtype and found.tobytes() == expected.tobytes()
    assert name != "exact" or found.tobytes() == data.tobytes()


def test_bad_chunks_are_errors_or_right():
    def outcome(case):
        try:
            found = bounded_reader.decode(case.chunk, case.values)
        except ValueError:
            return "error"
        return "right" if found.tobytes() == corpus.right() else "other"

    cases = [case for case in corpus.all_cases("stored", (0xFF,)) if case.filter == BOUNDED]
    assert len(cases) > 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {case.name: outcome(case) for case in cases}
    assert {case.name: found[case.name] for case in cases if case.expected not in ("any", found[case.name])} == {}


def test_the_reader_needs_numpy_and_zlib_alone():
    source = (ROOT / "docs/bounded_reader.py").read_text()
    assert re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE) == ["math", "zlib", "numpy"]
