"""`Events`: records of variable number a frame, read by h5py."""

import h5py
import numpy as np
import pytest

import darkchunk
from darkchunk import Events

COLUMNS = {"x": "u2", "energy": ("f4", 0, "keV"), "shape": ("i4", 3)}
FILTERS = [
    None,
    False,
    darkchunk.Zstd(),
    darkchunk.LZ4(),
    darkchunk.Blosc(cname="zstd"),
    darkchunk.Bitshuffle(cname="zstd"),
]


def hits(rng, n):
    return {
        "x": rng.integers(0, 65535, n).astype("u2"),
        "energy": rng.random(n).astype("f4"),
        "shape": rng.integers(-5, 5, (n, 3)).astype("i4"),
    }


@pytest.mark.parametrize("filter", FILTERS, ids=str)
def test_the_records_of_each_frame_come_back(tmp_path, filter):
    rng = np.random.default_rng(3)
    counts = [0, 5, 20_000, 1, 0, 300]
    frames = {number: hits(rng, n) for number, n in enumerate(counts) if number != 4}
    with Events(tmp_path / "run.h5", "/entry/hits", COLUMNS, filter) as events:
        for number in (1, 0, 2, 5, 3):
            events.push(number, **frames[number])
            events.flush()
    with h5py.File(tmp_path / "run.h5") as file:
        group = file["/entry/hits"]
        assert group.attrs["NX_class"] == "NXevent_data" and group["energy"].attrs["units"] == "keV"
        assert group["event_count"][:].tolist() == counts
        assert group["frame_status"][:].tolist() == [1, 1, 1, 1, 0, 1]
        assert len(group["x"]) == sum(counts)
        for number, expected in frames.items():
            first, count = group["event_index"][number], group["event_count"][number]
            for name, values in expected.items():
                assert np.array_equal(group[name][first : first + count], values), (number, name)
        size = sum(group[name].id.get_storage_size() for name in COLUMNS)
        assert filter is False or size < 16384 * 2 * 18


def test_what_is_not_right_is_refused(tmp_path):
    rng = np.random.default_rng(3)
    with Events(tmp_path / "run.h5", "hits", {"x": "u2", "shape": ("i4", 3)}) as events:
        good = {key: value for key, value in hits(rng, 2).items() if key != "energy"}
        events.push(0, **good)
        for error, values in [
            (TypeError, {"x": [1]}),
            (ValueError, {**good, "x": [1]}),
            (ValueError, {**good, "x": [1, 70_000]}),
            (TypeError, {**good, "x": [1.5, 2]}),
            (ValueError, {**good, "shape": [1, 2]}),
        ]:
            with pytest.raises(error):
                events.push(1, **values)
        with pytest.raises(darkchunk.UnsupportedError, match="already"):
            events.push(0, **good)
        events.push(1, x=[], shape=[])
    with pytest.raises(darkchunk.UnsupportedError, match="closed"):
        events.push(2, **good)
    with h5py.File(tmp_path / "run.h5") as file:
        assert file["hits/event_count"][:].tolist() == [2, 0]
    with pytest.raises(darkchunk.Error):
        Events(tmp_path / "drle.h5", "hits", {"x": "f4"}, darkchunk.DRLE())
