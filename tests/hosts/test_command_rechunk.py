"""`darkchunk slices rechunk` and `index`: other chunks, and where the blocks of chunks are."""

import json

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE, BLOSC
from test_command import run
from test_command_slices import EXAMPLES, compiled, counted

# Frames, of which each chunk has one.
FRAMES = np.random.default_rng(22).integers(0, 300, (37, 45, 50), "<u2")


@pytest.fixture
def scan(tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        data = file.create_dataset(
            "entry/data", data=FRAMES, chunks=(1, 45, 50), compression=BITSHUFFLE, compression_opts=(0, 2), fillvalue=7
        )
        data.attrs["units"] = "counts"
        file["entry/angles"] = np.arange(37.0)
        file["alias"] = h5py.SoftLink("/entry/data")
    return tmp_path / "scan.h5"


def rechunked(scan, *arguments, path="/entry/data", code=0):
    """What it says as JSON, and the new file."""
    to = scan.parent / "new.h5"
    to.unlink(missing_ok=True)
    text = run("slices", "rechunk", f"{scan}:{path}", "-o", to, *arguments, "--json", code=code)
    assert sorted(left.name for left in scan.parent.iterdir() if left.name.startswith(".")) == []
    return (json.loads(text) if code == 0 else text), to


@pytest.mark.parametrize("chunk", ["16,16,0", "5,8,50", "37,1,0", "3,45,7", "1,45,50"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_each_chunk_is_decoded_once_and_all_pixels_are_there(scan, chunk, jobs):
    found, to = rechunked(scan, "--chunk", chunk, "-j", jobs)
    with h5py.File(to) as file:
        data = file["entry/data"]
        expected = tuple(int(n) or dim for n, dim in zip(chunk.split(","), FRAMES.shape))
        assert data.chunks == expected and (data[:] == FRAMES).all() and data.attrs["units"] == "counts"
        assert data.fillvalue == 7 and file["alias"] == data and (file["entry/angles"][:] == np.arange(37)).all()
        assert [data.id.get_create_plist().get_filter(0)[0]] == [BITSHUFFLE]
    assert found["equal"] and found["bytes"] == FRAMES.nbytes and found["chunk"] == list(expected)
    # One that is stored so already is copied.
    assert found["decoded_bytes"] == (None if expected == (1, 45, 50) else FRAMES.nbytes)


def test_bricks_are_what_is_made_without_a_shape_and_back_to_frames(scan):
    found, to = rechunked(scan)
    assert found["chunk"] == [16, 16, 50] and found["old_chunk"] == [1, 45, 50]
    bricks = to.rename(scan.parent / "bricks.h5")
    back, to = rechunked(bricks, "--chunk", "1,0,0", "--to", "blosc:zstd:5:bit")
    # What is beyond the edge of a chunk is decoded, too.
    assert back["decoded_bytes"] == 48 * 48 * 50 * 2
    with h5py.File(to) as file:
        assert (file["entry/data"][:] == FRAMES).all()
        assert file["entry/data"].id.get_create_plist().get_filter(0)[0] == BLOSC
    text = run("slices", "rechunk", f"{bricks}:/entry/data", "-o", scan.parent / "text.h5", "--chunk", "1,0,0")
    assert "each chunk decoded 1.00 times" in " ".join(text.split()) and "all pixels equal" in " ".join(text.split())


def test_memory_is_bounded_and_then_chunks_are_decoded_several_times(tmp_path):
    frames = np.random.default_rng(1).integers(0, 9, (64, 512, 1024), "u2")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("data", data=frames, chunks=(1, 512, 1024), compression="gzip", compression_opts=1)
    del frames

    def peak(name, memory):
        arguments = [f"{tmp_path / 'scan.h5'}:/data", "-o", tmp_path / name, "-j", 1, "--memory", memory, "--json"]
        ((found,), peak) = counted("slices", "rechunk", *arguments)
        return found["decoded_bytes"] / found["bytes"], peak

    # 16 frames are 17 MB; with 60 MB there are two such regions, old and new, in the comparison.
    least, base = peak("least.h5", 4)
    once, enough = peak("once.h5", 60)
    assert once == 1 and 1 < least <= 33
    assert enough - base <= 60e6 * 1.1
    with h5py.File(tmp_path / "least.h5") as a, h5py.File(tmp_path / "once.h5") as b:
        assert a["data"].id.get_storage_size() == b["data"].id.get_storage_size()


def test_what_cannot_be_done_says_why_and_leaves_nothing(scan):
    with h5py.File(scan, "a") as file:
        file.create_dataset("lzf", data=FRAMES, chunks=(1, 45, 50), compression="lzf")
        file["text"] = ["a", "b"]
    for path, arguments, words in [
        ("/nowhere", [], "/nowhere"),
        ("/entry/angles", [], "give --chunk"),
        ("/entry/data", ["--chunk", "16,16"], "it has 3 axes, --chunk has 2"),
        ("/lzf", ["--chunk", "16,16,0"], "name another filter with --to"),
        ("/entry/data", ["--to", "drle:20"], "--lossy allows it"),
        ("/text", ["--chunk", "1"], "variable length"),
    ]:
        text, to = rechunked(scan, *arguments, path=path, code=2)
        assert words in " ".join(text.split()) and not to.exists(), text
    found, to = rechunked(scan, "--chunk", "16,16,0", "--to", "gzip", path="/lzf")
    with h5py.File(to) as file:
        assert (file["lzf"][:] == FRAMES).all() and file["lzf"].compression == "gzip"
    assert "is there already" in run("slices", "rechunk", f"{scan}:/lzf", "-o", to, code=2)


def test_a_damaged_chunk_leaves_no_file(scan):
    with h5py.File(scan) as file:
        place = file["entry/data"].id.get_chunk_info(20).byte_offset
    data = bytearray(scan.read_bytes())
    data[place + 20 : place + 60] = b"\xff" * 40
    scan.write_bytes(data)
    text, to = rechunked(scan, code=2)
    assert "[20, 0, 0]" in text and not to.exists()


def test_with_an_index_frames_in_little_memory_are_read_and_decoded_once(tmp_path):
    frames = np.random.default_rng(5).poisson(30, (24, 600, 2000)).astype("u2")
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data", data=frames, chunks=(1, 600, 2000), compression=BITSHUFFLE, compression_opts=(0, 2))
        stored = file["entry/data"].id.get_storage_size()
    library = compiled(tmp_path, EXAMPLES / "benchmark.c", standard="c11")
    how = [path, "-l", library, "-j", 2, "--memory", 40, "--", "input=/entry/data", "map=0,1"]
    assert "no index (slices index)" in " ".join(run("slices", "plan", *how).split())
    (found,) = [json.loads(line) for line in run("slices", "index", f"{path}:/entry/data", "--json").splitlines()]
    assert found["index"] == f"{path}.entry.data.blocks" and found["bytes"] < stored / 50 and found["chunks"] == 24
    assert "index of 24 chunks" in " ".join(run("slices", "plan", *how).split())
    plan, done, benchmark = [json.loads(line) for line in run("slices", "run", *how[:-3], "--json", *how[-3:]).splitlines()]
    ((each,), (planned,)) = done["inputs"], plan["inputs"]
    assert benchmark["done"] == 600 and plan["slabs"] > 3 and planned["indexed"] == 24
    assert each["decoded_bytes"] <= 1.1 * frames.nbytes and planned["decoded_bytes"] <= 1.1 * frames.nbytes
    assert each["read_bytes"] <= 1.1 * stored
    # One that is damaged is not used, and said to be.
    index = tmp_path / "scan.h5.entry.data.blocks"
    index.write_bytes(index.read_bytes()[:-1])
    assert "not used: " in run("slices", "plan", *how)


def test_what_has_no_blocks_has_no_index(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("gzip", data=FRAMES, chunks=(1, 45, 50), compression="gzip")
        file["plain"] = FRAMES
    for name in ("gzip", "plain", "none"):
        assert name in run("slices", "index", f"{tmp_path / 'a.h5'}:/{name}", code=2)
    assert [left.name for left in tmp_path.iterdir()] == ["a.h5"]
