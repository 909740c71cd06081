"""`darkchunk convert --keep` leaves frames out that keep their numbers, and says which."""

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE
from test_command import lines, run

N, SHAPE = 12, (33, 47)
FILTERS = {"compression": BITSHUFFLE, "compression_opts": (0, 2)}


def make(path, chunk=1, status=None, dtype="u2"):
    """Frame i has i pixels of 100 and one of 1000 + i; a pump is on for every third."""
    data = np.zeros((N, *SHAPE), dtype)
    for frame in range(N):
        data[frame].ravel()[: frame] = 100
        data[frame, -1, -1] = 1000 + frame
    data[:, 5, 5] = np.iinfo(dtype).max if dtype == "u2" else 0
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data", data=data, chunks=(chunk, *SHAPE), **FILTERS).attrs["units"] = "counts"
        file["entry/pump"] = np.arange(N, dtype="i8") % 3 == 0
        file["entry/energy"] = np.linspace(0, 1.1, N)
        file["entry/image"] = data[0]
        if status is not None:
            column = file.create_dataset("entry/data_darkchunk/frame_status", data=np.array(status, "u1"), chunks=(256,), maxshape=(None,))
            column.attrs["values"] = ["missing", "written", "vetoed"]
    return data


RULES = {
    "sum>1500": lambda f: 100 * f + 1000 + f > 1500,
    "sum<=1500": lambda f: 100 * f + 1000 + f <= 1500,
    "maximum>=1007": lambda f: f >= 7,
    "bright(100)>5": lambda f: f + 1 > 5,
    "bright(101)==1": lambda f: True,
    "column:/entry/pump==1": lambda f: f % 3 == 0,
    "column:/entry/energy>0.55": lambda f: np.linspace(0, 1.1, N)[f] > 0.55,
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("options", [(), ("--to", "zstd:3")])
def test_frames_that_no_rule_keeps_are_missing_and_marked(tmp_path, rule, options):
    data = make(tmp_path / "a.h5")
    found = lines("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--keep", rule, "--lossy", *options)
    kept = [bool(RULES[rule](frame)) for frame in range(N)]
    assert (found[0]["frames"], found[0]["frames_left_out"]) == (N, N - sum(kept)) and found[0]["equal"] == all(kept)
    with h5py.File(tmp_path / "b.h5") as file, h5py.File(tmp_path / "a.h5") as before:
        new = file["entry/data"]
        assert new.shape == data.shape and new.attrs["units"] == "counts" and new.id.get_num_chunks() == sum(kept)
        assert (new[:] == np.where(np.array(kept)[:, None, None], data, 0)).all()
        status = file["entry/data_darkchunk/frame_status"]
        assert status[:].tolist() == [1 if keep else 2 for keep in kept] and status.attrs["values"][2] == "vetoed"
        for frame in range(N):
            if kept[frame] and not options:
                assert new.id.read_direct_chunk((frame, 0, 0)) == before["entry/data"].id.read_direct_chunk((frame, 0, 0))
        assert (file["entry/pump"][:] == before["entry/pump"][:]).all()


def test_all_rules_must_hold_and_marks_of_a_recorder_stay(tmp_path):
    status = [1] * N
    status[4], status[9] = 5, 3
    make(tmp_path / "a.h5", status=status)
    text = run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--keep", "sum>1300", "--keep", "column:/entry/pump==0", "--lossy")
    assert "LOSSY: 6 of 12 frames left out" in " ".join(text.split())
    with h5py.File(tmp_path / "b.h5") as file:
        expected = [status[f] if 101 * f + 1000 > 1300 and f % 3 else 2 for f in range(N)]
        assert file["entry/data_darkchunk/frame_status"][:].tolist() == expected


def test_what_cannot_be_left_out_ends_with_2_and_writes_nothing(tmp_path):
    make(tmp_path / "a.h5", chunk=4)
    source = tmp_path / "a.h5"
    for options, words in [
        (("--keep", "sum>1"), "--lossy"),
        (("--keep", "sum>1", "--lossy"), "--chunk 1,0,0"),
        (("--keep", "mean>1", "--lossy"), "maximum"),
        (("--keep", "column:/entry/none>1", "--lossy", "--chunk", "1,0,0", "--to", "lz4"), "/entry/none"),
        (("--keep", "column:/entry/data>1", "--lossy", "--chunk", "1,0,0", "--to", "lz4"), "axes"),
        (("--keep", "sum>1", "--lossy", "--keep-of", "/entry/x"), "/entry/x"),
        (("--keep", "sum>1e9", "--lossy", "--chunk", "1,0,0", "--to", "lz4"), "holds for none of its 12 frames"),
    ]:
        assert words in run("convert", source, "-o", tmp_path / "b.h5", *options, code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    run("convert", source, "-o", tmp_path / "b.h5", "--keep", "sum>1500", "--lossy", "--chunk", "1,0,0", "-d", "data=zstd:3")
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["entry/data"].id.get_num_chunks() == 7


def test_a_pattern_is_an_error_only_where_it_means_nothing_in_any_file(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    make(folder / "a.h5")
    with h5py.File(folder / "b.h5", "w") as file:
        file["other"] = np.arange(5000)
    assert "is meant by nowhere" in run("convert", "-r", folder, "-o", tmp_path / "x", "-d", "data=lz4", "-d", "nowhere=lz4", code=2)
    assert not (tmp_path / "x").exists()
    found = lines("convert", "-r", folder, "-o", tmp_path / "out", "-d", "data=lz4")
    assert [line["path"] for line in found] == ["/entry/data", "/", "/"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.h5", "b.h5"]
    assert "no dataset is meant by data" in run("convert", folder / "b.h5", "-o", tmp_path / "c.h5", "-d", "data=lz4", code=2)
