"""`docs/drle_reader.py`, which knows docs/format.md and nothing of us, reads what we write and refuses what is damaged."""

import re
import struct
import sys
import warnings

import h5py
import numpy as np
import pytest

from common import CHUNKS, DRLE, HERE, ROOT, frames

sys.path[:0] = [str(ROOT / "docs"), str(HERE.parent / "corpus")]

import cases as corpus  # noqa: E402
import drle_reader  # noqa: E402

GOLDENS = {"int16-le": "<i2", "int16-be": ">i2", "uint16-le": "<u2", "uint16-be": ">u2", "bare": "<i2"}
GOLDENS |= {"packed-int16-le": "<i2", "packed-uint16-be": ">u2"}
THRESHOLD, GOLDEN_SHAPE = 20, (2, 13, 27)


def golden_pixels():
    """Those of tests/golden.rs, as the threshold leaves them."""
    state = 1

    def below(n):
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return (state >> 8) % n

    pixels = [20 + below(2000) if below(16) == 0 else below(3) * below(3) for _ in range(np.prod(GOLDEN_SHAPE))]
    return np.where(np.array(pixels) < THRESHOLD, 0, pixels)


def outcome(chunk, values, right):
    try:
        found = drle_reader.decode(chunk, values)
    except (ValueError, struct.error):
        return "error"
    return "right" if found.tobytes() == right else "other"


@pytest.mark.parametrize("name", GOLDENS)
def test_golden_chunks_are_read(name):
    chunk = bytes.fromhex("".join((ROOT / f"tests/golden/drle-{name}.hex").read_text().split()))
    bare = (THRESHOLD, 1, 0, 1, 1, 351, 2 * int(np.prod(GOLDEN_SHAPE)))
    found = drle_reader.decode(chunk, bare if name == "bare" else ())
    assert found.dtype == GOLDENS[name] and np.array_equal(found, golden_pixels())


@pytest.mark.parametrize(
    "section, pixels",
    [("### Example", [0, 7, 0, 0, 0, 0, 0, 9]), ("### Exceptions", [0, 7, 65535, 65535, 65535, 0, 40000, 9])],
)
def test_the_examples_of_the_format_description_are_read(section, pixels):
    text = (ROOT / "docs/format.md").read_text().split(section)[1].split("###")[0]
    chunk = bytes.fromhex("".join(re.findall(r"^((?:[0-9a-f]{2} )+)", text, re.MULTILINE)))
    assert list(drle_reader.decode(chunk, ())) == pixels


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", ">u2"])
@pytest.mark.parametrize("given", [(1,), (1, 1), (1, 0, 500), (1, 2), (1, 2, 500)])
def test_every_chunk_that_the_plugin_writes_is_read(tmp_path, given, dtype):
    data = frames(n_frames=CHUNKS[0], dtype=dtype)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        dataset = file.create_dataset("frames", data=data, chunks=CHUNKS, compression=DRLE, compression_opts=given)
        file.flush()
        mask, chunk = dataset.id.read_direct_chunk((0, 0, 0))
        found = drle_reader.decode(chunk, dataset.id.get_create_plist().get_filter(0)[2])
    assert mask == 0 and found.dtype == data.dtype and np.array_equal(found.reshape(CHUNKS), data)


def test_bad_chunks_are_errors_where_they_must_be():
    cases = [case for case in corpus.all_cases("stored", (0xFF,)) if case.filter == DRLE]
    assert len(cases) > 800
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {case.name: outcome(case.chunk, case.values, corpus.right()) for case in cases}
    assert {case.name: found[case.name] for case in cases if case.expected not in ("any", found[case.name])} == {}


def test_the_reader_needs_numpy_and_zlib_alone():
    source = (ROOT / "docs/drle_reader.py").read_text()
    imports = re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE)
    assert imports == ["struct", "zlib", "numpy"]
