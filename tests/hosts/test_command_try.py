"""`darkchunk try` says which filter is best for a dataset, and its lines can be pasted."""

import shlex
import subprocess

import h5py
import numpy as np

from common import frames
from test_command import lines, run

SMALL = ("--sample", 1, "--no-disk")

# What HDF5 declares, for a compiler that has no HDF5.
HDF5 = """
#include <stddef.h>
typedef long hid_t; typedef unsigned long long hsize_t;
#define H5Z_FLAG_OPTIONAL 1
int H5Pset_chunk(hid_t, int, const hsize_t *); int H5Pset_shuffle(hid_t); int H5Pset_deflate(hid_t, unsigned);
int H5Pset_filter(hid_t, int, unsigned, size_t, const unsigned *);
void set(hid_t dcpl) { %s }
"""


def make(path, data, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data", data=data, chunks=(1, *data.shape[1:]), **options)


def tried(path, *arguments):
    *found, summary = lines("try", path, *SMALL, *arguments)
    return [trial for trial in found if "spec" in trial and "refused" not in trial], summary


def test_the_lines_of_what_is_recommended_do_what_they_say(tmp_path):
    data = frames(40, (128, 160))
    make(tmp_path / "a.h5", data, compression="gzip")
    trials, summary = tried(tmp_path / "a.h5")
    best, smallest = trials[summary["recommended"]], trials[summary["size"]]
    assert best["exact"] and best["ratio"] > 10 and smallest["ratio"] >= max(t["ratio"] for t in trials if t["exact"]) / 1.01
    assert best["encode"] > 0 and best["decode"] > 0 and best["row_bytes"] > 0
    chunk = tuple(best["chunk"])
    with h5py.File(tmp_path / "h5py.h5", "w") as file:
        exec(summary["lines"]["h5py"], {"file": file, "data": data})
        list_ = file["data"].id.get_create_plist()
        found = [list_.get_filter(index)[0] for index in range(list_.get_nfilters())]
        assert found == [one["id"] for one in best["filters"]] and file["data"].chunks == chunk
        stored = file["data"].id.get_storage_size()
    # A sample says what all frames will take.
    assert abs(data.nbytes / stored / best["ratio"] - 1) < 0.1
    compiled = subprocess.run(["cc", "-fsyntax-only", "-Wall", "-Werror", "-xc", "-"], input=HDF5 % summary["lines"]["c"], text=True)
    assert compiled.returncode == 0
    program, *words = shlex.split(summary["lines"]["convert"])
    assert program == "darkchunk"
    run(*[tmp_path / "new.h5" if word == "new.h5" else word for word in words])
    with h5py.File(tmp_path / "new.h5") as file:
        assert (file["entry/data"][:] == data).all() and file["entry/data"].chunks == chunk


def test_every_line_can_be_pasted(tmp_path):
    data = frames(8, (64, 96), "<i4")
    make(tmp_path / "a.h5", data)
    for chunk in ("1,64,96", "8,0,0"):
        trials, _ = tried(tmp_path / "a.h5", "--chunk", chunk)
        specs = {trial["spec"] for trial in trials}
        assert {"none", "lz4", "zstd:3", "shuffle-gzip:4", "bitshuffle-lz4", "blosc:zstd:5:bit", "bounded:exact"} <= specs
        assert all(trial["chunk"] == [int(chunk[0]), 64, 96] for trial in trials)


def test_noise_is_known_and_what_would_help_is_said(tmp_path):
    make(tmp_path / "a.h5", np.random.default_rng(3).integers(0, 65536, (4, 96, 128)).astype("u2"))
    trials, summary = tried(tmp_path / "a.h5")
    assert summary["recommended"] is None and summary["speed"] is None
    assert trials[summary["bounded"]]["spec"] == "bounded:noise=1" and "--lossy" in summary["lines"]["convert"]
    text = run("try", tmp_path / "a.h5", *SMALL)
    assert "Nothing helps" in text and "bounded:noise=1" in text and "recommended:" not in text


def test_what_changes_pixels_is_never_recommended(tmp_path):
    # DRLE would be the smallest by far, and would lose all negative pixels.
    data = np.where(np.random.default_rng(4).random((8, 96, 128)) < 0.5, -1, 0).astype("i2")
    make(tmp_path / "a.h5", data)
    trials, summary = tried(tmp_path / "a.h5")
    lossy = {trial["spec"] for trial in trials if not trial["exact"]}
    assert {"drle:1", "bounded:noise=1"} <= lossy
    assert not lossy & {trials[summary[name]]["spec"] for name in ("size", "speed", "recommended")}
    assert "  *" in run("try", tmp_path / "a.h5", *SMALL).replace("drle:1", "")


def test_the_text_fits_a_terminal_and_says_how_many_cores_a_rate_takes(tmp_path):
    make(tmp_path / "a.h5", frames(8, (64, 96)))
    (tmp_path / "read only").mkdir()
    text = run("try", f"{tmp_path}/a.h5:/entry/data", "--sample", 1, "--rate", 1000, "-v")
    assert all(len(line) <= 80 or line.startswith(("  h5py ", "  C ", "  convert ")) or " " not in line for line in text.splitlines())
    assert "cores" in text and "GB/s of memory" in text and "written and synced" in text
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    trials, _ = tried(tmp_path / "a.h5", "--rate", 1000)
    for trial in trials:
        assert trial["cores"] == max(1, int(np.ceil(1000e9 / trial["encode"])))


def test_what_cannot_be_tried_ends_with_2_and_a_text(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["strings"] = np.array(["a"], dtype=h5py.string_dtype())
        file.create_dataset("never", (10, 64, 64), "u2", chunks=(1, 64, 64))
        file.create_dataset("empty", (0, 64), "u2", chunks=(1, 64), maxshape=(None, 64))
        file["scalar"] = 3
    for name, words in [
        ("strings", "refer to other places"),
        ("never", "nothing of it is stored yet"),
        ("empty", "it has no elements"),
        ("scalar", "cannot have any"),
        ("nowhere", "there is nothing at"),
    ]:
        assert words in run("try", f"{tmp_path}/a.h5:/{name}", "--no-disk", code=2), name
    assert "above 0" in run("try", tmp_path / "a.h5", "--rate", 0, code=2)
