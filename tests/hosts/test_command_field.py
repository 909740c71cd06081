"""What other tools lose, and large or many files: the command's promises at full size with `cargo xtask prove convert`."""

import os
import random
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE, DRLE, ZSTD, frames, tool
from hdf5 import library_path
from test_command import COMMAND, PIXELS, everything, lines, run, spoil
from test_command_convert import make, same

IS_PROOF = os.environ.get("DARKCHUNK_PROVE") == "1"


def one(path, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=PIXELS, chunks=(1, 33, 47), **options)


def unknown(path):
    """A dataset by a filter that nobody has."""
    with h5py.File(path, "w") as file:
        space, plist = h5py.h5s.create_simple(PIXELS.shape), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 33, 47))
        plist.set_filter(4711, h5py.h5z.FLAG_OPTIONAL, ())
        data = h5py.h5d.create(file.id, b"data", h5py.h5t.STD_U16LE, space, plist)
        for index, frame in enumerate(PIXELS):
            data.write_direct_chunk((index, 0, 0), frame.tobytes()[::-1])


def test_where_h5repack_loses_data_and_ends_with_0_this_ends_with_2_or_is_right(tmp_path):
    one(tmp_path / "lzf.h5", compression="lzf")
    unknown(tmp_path / "unknown.h5")
    one(tmp_path / "plain.h5")
    with h5py.File(tmp_path / "float.h5", "w") as file:
        file["data"] = np.random.default_rng(1).random((20, 33, 47))
    cases = [
        ("lzf.h5", ("--to", "gzip:1"), "GZIP=1", None),
        ("unknown.h5", ("--to", "gzip:1"), "GZIP=1", "filter 4711"),
        ("plain.h5", ("--to", "bitshuffle-lz9"), "UD=32008,1,2,0,9", "a target is one of"),
        ("plain.h5", ("--to", "blosc:zstd:5:bits"), "UD=32001,1,7,0,0,0,0,5,9,5", "shuffles are"),
        ("plain.h5", ("--to", "gzip:10"), "GZIP=10", "0 to 9"),
        ("float.h5", ("--to", "drle:1"), "UD=36114,1,1,1", "DRLE is for int16"),
    ]
    for name, target, theirs, words in cases:
        out = tmp_path / "out.h5"
        repacked = tool("h5repack", "-f", theirs, tmp_path / name, tmp_path / "repacked.h5", plugin_path=tmp_path)
        with h5py.File(tmp_path / "repacked.h5") if repacked.returncode == 0 else h5py.File(tmp_path / name) as file:
            print(name, theirs, "h5repack ends with", repacked.returncode, {key: file[key].compression for key in file})
        text = run("convert", tmp_path / name, "-o", out, *target, code=0 if words is None else 2)
        if words is None:
            same(tmp_path / name, out)
            with h5py.File(out) as file:
                assert file["data"].compression == "gzip"
            out.unlink()
        else:
            assert words in text and not out.exists(), text


def test_a_copy_whose_attributes_or_strings_differ_would_be_found(tmp_path):
    # What is compared before a new file gets its name is what `diff` compares: here it is shown to see each kind.
    for place in ("attribute", "string", "plain"):
        for name, value in (("a.h5", 1), ("b.h5", 2)):
            with h5py.File(tmp_path / name, "w") as file:
                file.create_dataset("data", data=PIXELS, chunks=(1, 33, 47)).attrs["n"] = value if place == "attribute" else 0
                file["strings"] = np.array(["x", str(value if place == "string" else 0)], dtype=h5py.string_dtype())
                file["plain"] = np.arange(5) + (value if place == "plain" else 0)
        run("diff", tmp_path / "a.h5", tmp_path / "b.h5", code=1)


PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(*command):
    """The most memory that the command had, in bytes, by the system's account. That is at least what the process has that starts it: so this
    is a small one; and what a Python takes that is asked for its h5py: so the command is told where HDF5 is."""
    environment = dict(os.environ, DARKCHUNK_HDF5=library_path("h5py"))
    words = [sys.executable, "-c", PEAK, *map(str, (COMMAND, *command))]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    code, most = map(int, done.stdout.split())
    assert code == 0, done.stderr
    return 1024 * most


def test_memory_does_not_grow_with_the_file(tmp_path):
    few = 1000 if IS_PROOF else 60
    found = []
    for n in (few, 10 * few):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            options = {"compression": "gzip", "compression_opts": 1}
            data = file.create_dataset("data", (n, 256, 256), "u2", chunks=(1, 256, 256), **options)
            data[:1] = frames(1, (256, 256), "<u2")
            stored = data.id.read_direct_chunk((0, 0, 0))[1]
            for index in range(n):
                data.id.write_direct_chunk((index, 0, 0), stored)
        (tmp_path / "b.h5").unlink(missing_ok=True)
        found.append([
            peak("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "lz4", "--memory", 20, "-j", 2),
            peak("verify", tmp_path / "a.h5", "-j", 2),
            peak("hash", tmp_path / "a.h5"),
        ])
    print("peak memory of convert, verify, hash, in MB:", [[round(n / 1e6) for n in one] for one in found], f"for {few} and {10 * few} frames")
    for small, large in zip(*found):
        # `hash` reads pieces of 64 MiB. The list of chunks grows.
        assert large < small + 70e6 + 200 * 9 * few, found


WAYS = {
    "a bit of a chunk with a checksum": lambda path: spoil(path, "drle", 3, "bit"),
    "a bit of gzip": lambda path: spoil(path, "gzip", 3, "bit"),
    "a bit under fletcher32": lambda path: spoil(path, "fletcher", 3, "bit"),
    "zeros in LZ4": lambda path: spoil(path, "bitshuffle", 3, "zeros"),
    "zeros in LZF": lambda path: spoil(path, "lzf", 3, "zeros"),
    "zeros in Zstd": lambda path: spoil(path, "zstd", 3, "zeros"),
    "cut off": lambda path: os.truncate(path, path.stat().st_size // 2),
    "nothing left": lambda path: os.truncate(path, 0),
    "superblock": lambda path: overwrite(path, 8, 90),
    "first object header": lambda path: overwrite(path, 96, 40),
}


def overwrite(path, at, n):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * n)


def test_verify_of_many_files_finds_exactly_those_that_are_spoilt(tmp_path):
    kinds = {
        "gzip": {"compression": "gzip", "shuffle": True}, "fletcher": {"fletcher32": True}, "lzf": {"compression": "lzf"},
        "drle": {"compression": DRLE, "compression_opts": (1,)}, "zstd": {"compression": ZSTD, "compression_opts": (3,)},
        "bitshuffle": {"compression": BITSHUFFLE, "compression_opts": (0, 2)},
    }
    with h5py.File(tmp_path / "all", "w") as file:
        for name, options in kinds.items():
            file.create_dataset(name, data=PIXELS, chunks=(1, 33, 47), **options)
    everything(tmp_path / "odd")
    n = 1000 if IS_PROOF else 40
    places = [tmp_path / f"{index % 9}" / f"{index}.h5" for index in range(n)]
    for index, place in enumerate(places):
        place.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / ("odd" if index % 4 == 3 else "all"), place)
    (tmp_path / "all").unlink()
    (tmp_path / "odd").unlink()
    spoilt = random.Random(7).sample([place for index, place in enumerate(places) if index % 4 != 3], len(WAYS))
    for place, spoil_it in zip(spoilt, WAYS.values()):
        spoil_it(place)
    found = {line["file"] for line in lines("verify", "-r", tmp_path, "-j", 2, code=1) if line["state"] == "damaged"}
    assert found == {str(place) for place in spoilt}, [way for place, way in zip(spoilt, WAYS) if str(place) not in found]
    print(f"{len(found)} of {n} files are damaged, exactly those that were spoilt")


@pytest.mark.skipif(not IS_PROOF, reason="`cargo xtask prove convert` has all files")
def test_a_folder_of_real_and_made_files_is_the_same_after_a_conversion(tmp_path, data_folder):
    for kind in ("h5py", "pytables", "netcdf"):
        (tmp_path / "a" / kind).mkdir(parents=True)
        make(tmp_path / "a" / kind / "made.h5", kind)
    real = [path for path in sorted(data_folder.rglob("*")) if path.suffix in (".h5", ".hdf5")]
    for path in real:
        # Their filters are in none of the plugins here: that they end with 2 is another test.
        if "blosc2" not in path.name and "bzip2" not in path.name:
            (tmp_path / "a" / path.parent.name).mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / "a" / path.parent.name / path.name)
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file() and path.suffix in (".h5", ".hdf5")]
    assert len(files) >= 20
    n_equal = 0
    for target in ("bitshuffle-lz4", "zstd:1"):
        out = tmp_path / target
        run("convert", "-r", tmp_path / "a", "-o", out, "--to", target, "-j", 2)
        for path in files:
            new = out / path.relative_to(tmp_path / "a")
            run("diff", path, new)
            if "lzo" in path.name:
                # Neither h5py nor h5diff reads it.
                continue
            same(path, new)
            done = tool("h5diff", path, new)
            # 2: it has no LZF, and does not compare references to regions.
            assert done.returncode == 0 or (done.returncode == 2 and ("made" in path.name or "lzf" in path.name)), (path, done)
            n_equal += done.returncode == 0
    print(f"{len(files)} files, {len(files) - 3} of them real: pixels, attributes, links equal; h5diff finds {n_equal} of {2 * len(files)} equal")
