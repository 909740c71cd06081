"""Filter chains: HDF5's own filters before and after each of ours, written by us and by hdf5plugin, read by both.

Most of what stands before it changes the size of what our filter is given, so that parameters and chunk disagree: such
files are made by PyTables (fletcher32 before Blosc), by h5py (`scaleoffset=`) and by anybody's shuffle. As a program
(`cargo xtask prove chains`) it tries all of them; `test_chains.py` tries some.
"""

import itertools
import sys
import tempfile
from collections import Counter

import numpy as np

from common import BITSHUFFLE, BLOSC, DRLE, LZ4, PLUGINS, ZSTD, child, frames

# HDF5's own filters by number, as (number, flags, values). Checksums are mandatory, as HDF5 makes them.
OWN = {
    "shuffle": (2, 1, ()),
    "fletcher32": (3, 0, ()),
    "nbit": (5, 1, ()),
    "scaleoffset": (6, 1, (2, 0)),
    "gzip": (1, 1, (1,)),
}
# `n-bit` and `scaleoffset` know the dataset's elements only, so they cannot follow a compressor.
FRONTS = [(), *((name,) for name in OWN)]
BEHINDS = [(), ("shuffle",), ("fletcher32",), ("gzip",)]

BOTH_HAVE = {
    "bitshuffle": (BITSHUFFLE, (0, 0)),
    "bitshuffle-lz4": (BITSHUFFLE, (0, 2)),
    "bitshuffle-zstd": (BITSHUFFLE, (0, 3, 1)),
    "blosc-lz4-byte": (BLOSC, (0, 0, 0, 0, 5, 1, 1)),
    "blosc-zstd-bit": (BLOSC, (0, 0, 0, 0, 1, 2, 5)),
    "lz4": (LZ4, (0,)),
    "zstd": (ZSTD, (1,)),
}
# DRLE must be the first filter, and no other software reads it.
OURS_ALONE = {"drle": (DRLE, (1,)), "drle-bare": (DRLE, (1, 1))}
FILTERS = BOTH_HAVE | OURS_ALONE

TYPES = ["<u2", ">i2", "<i4", "<f4"]
PIXEL_TYPES = ["<i2", ">i2", "<u2", ">u2"]
# Neither is a multiple of 8 elements, and both leave partial chunks at the edges.
CHUNKS = [(3, 17, 29), (997,)]
SHAPE = (5, 20, 31)
# The bits that an element leaves to `n-bit`: every value here has room in the others.
SPARE_BITS = 3

FOLDER = {"ours": PLUGINS, "theirs": "/nonexistent"}


def cases():
    """{name: (filter, filters in front, filters behind, element type, chunk)}"""
    both = itertools.product(BOTH_HAVE, FRONTS, BEHINDS, TYPES, CHUNKS)
    ours = itertools.product(OURS_ALONE, [()], BEHINDS, PIXEL_TYPES, CHUNKS)
    return {name_of(*case): case for case in [*both, *ours]}


def name_of(label, front, behind, dtype, chunk):
    return f"{' '.join([*front, label, *behind])}, {dtype}, {'x'.join(map(str, chunk))}"


def writers(label):
    return ["ours", "theirs"] if label in BOTH_HAVE else ["ours"]


def content(dtype, chunk):
    data = frames(SHAPE[0], SHAPE[1:], dtype, bright=0.2)
    return data if len(chunk) > 1 else data.ravel()


def datatype(dtype, front):
    import h5py

    found = h5py.h5t.py_create(np.dtype(dtype)).copy()
    if "nbit" in front and np.dtype(dtype).kind != "f":
        found.set_precision(8 * np.dtype(dtype).itemsize - SPARE_BITS)
    return found


def add_filters(plist, label, front, behind, dtype):
    """Makes the chain. A real number is scaled by decimal digits, of which these have none."""
    number, values = FILTERS[label]
    for name in front:
        own, flags, own_values = OWN[name]
        plist.set_filter(own, flags, (0, 0) if name == "scaleoffset" and "f" in dtype else own_values)
    plist.set_filter(number, 1, values)
    for name in behind:
        plist.set_filter(*OWN[name])


def chains_write(who, path, names):
    """Writes a dataset a case. Returns {"failed": {name: why}, "encoded": how many have their first chunk encoded}."""
    import actions

    actions.use_plugins_of(who)
    import h5py

    failed, encoded, known = {}, 0, cases()
    with h5py.File(path, "w") as file:
        for name in names:
            label, front, behind, dtype, chunk = known[name]
            try:
                data = content(dtype, chunk)
                plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                plist.set_chunk(chunk)
                add_filters(plist, label, front, behind, dtype)
                space = h5py.h5s.create_simple(data.shape)
                made = h5py.h5d.create(file.id, name.encode(), datatype(dtype, front), space, plist)
                dataset = h5py.Dataset(made)
                dataset[...] = data
                file.flush()
                encoded += not dataset.id.get_chunk_info(0).filter_mask >> len(front) & 1
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"
    return {"failed": failed, "encoded": encoded}


def chains_read(who, path):
    """Reads and compares all datasets; the outcome of each, by name."""
    import actions

    actions.use_plugins_of(who)
    import h5py

    outcomes, known = {}, cases()
    with h5py.File(path, "r") as file:
        for name, dataset in file.items():
            _, _, _, dtype, chunk = known[name]
            if who == "theirs" and "theirs" not in writers(known[name][0]):
                continue
            try:
                outcomes[name] = "ok" if np.array_equal(dataset[...], content(dtype, chunk)) else "other values"
            except Exception as error:
                outcomes[name] = f"{type(error).__name__}: {error}"
    return outcomes


def outcomes(names, folder):
    """{(writer, name): {reader: outcome}}, and how many chunks of each writer went through the filter."""
    found, encoded = {}, {}
    for writer in FOLDER:
        path = f"{folder}/{writer}.h5"
        used = [name for name in names if writer in writers(cases()[name][0])]
        written = child("chains_write", plugin_path=FOLDER[writer], who=writer, path=path, names=used)
        encoded[writer] = written["encoded"]
        found |= {(writer, name): {"write": why} for name, why in written["failed"].items()}
        for reader in FOLDER:
            read = child("chains_read", plugin_path=FOLDER[reader], who=reader, path=path)
            for name, outcome in read.items():
                found.setdefault((writer, name), {})[reader] = outcome
    return found, encoded


def is_read_by_all(readers):
    return set(readers.values()) == {"ok"}


def main():
    with tempfile.TemporaryDirectory(prefix="chains") as folder:
        found, encoded = outcomes(list(cases()), folder)
    for writer, n in encoded.items():
        chains = {name: readers for (who, name), readers in found.items() if who == writer}
        read = Counter(reader for readers in chains.values() for reader, outcome in readers.items() if outcome == "ok")
        print(f"written by {writer}: {len(chains)} chains, {n} with an encoded first chunk, read by {dict(read)}")
    failed = {key: readers for key, readers in found.items() if not is_read_by_all(readers)}
    for (writer, name), readers in failed.items():
        print(f"written by {writer}: {name}: {readers}")
    print(f"{len(found) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
