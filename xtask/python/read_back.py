"""Reads a recording with an unchanged reader and compares every frame with the raw frames on standard input.

    PROGRAM | read_back.py READER FILE N        READER: h5py, tables or h5dump; N: the first N frames

Nothing here knows of darkchunk: the plugins come through HDF5_PLUGIN_PATH. Prints
{"frames": N, "seconds": reading alone}; ends with an error at the first pixel that differs.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

BATCH = 16


def find_frames(path):
    """Path, shape and type of the frames: the dataset that NeXus' `default` and `signal` attributes lead to."""
    import h5py

    with h5py.File(path, "r") as file:
        group = file
        while isinstance(group, h5py.Group) and ("default" in group.attrs or "signal" in group.attrs):
            group = group[group.attrs["signal" if "signal" in group.attrs else "default"]]
        if not isinstance(group, h5py.Dataset):
            sys.exit(f"error: {path}: `default` and `signal` lead to no dataset")
        return group.name, group.shape, group.dtype


def with_h5py(path, name, shape):
    import h5py

    with h5py.File(path, "r") as file:
        for start in range(0, shape[0], BATCH):
            yield file[name][start : min(start + BATCH, shape[0])]


def with_tables(path, name, shape):
    import tables

    with tables.open_file(path, "r") as file:
        for start in range(0, shape[0], BATCH):
            yield file.get_node(name)[start : min(start + BATCH, shape[0])]


def with_h5dump(path, name, shape, dtype):
    """The tool's binary dump of the first frames, through a named pipe. (The tool reads row by row and decodes each chunk
    as often as it has rows.)"""
    part = ["-s", "0,0,0", "-c", ",".join(str(n) for n in shape)]
    n_bytes = shape[1] * shape[2] * dtype.itemsize
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "dump")
        os.mkfifo(pipe)
        # A writing end that lives as long as the tool: a tool that fails early ends our reading, not hangs it.
        writing_end = os.open(pipe, os.O_RDWR)
        tool = subprocess.Popen(["h5dump", "-d", name, *part, "-b", "LE", "-o", pipe, path], stdout=subprocess.DEVNULL)
        threading.Thread(target=lambda: (tool.wait(), os.close(writing_end))).start()
        with open(pipe, "rb", buffering=1 << 20) as dump:
            for start in range(0, shape[0], BATCH):
                raw = dump.read(min(BATCH, shape[0] - start) * n_bytes)
                raw = raw[: len(raw) // n_bytes * n_bytes]
                yield np.frombuffer(raw, dtype.newbyteorder("<")).reshape(-1, *shape[1:])
            if dump.read(1):
                sys.exit("error: h5dump wrote more than it was asked for")
        if tool.wait():
            sys.exit(f"error: h5dump failed ({tool.returncode})")


def compare(batches, expected, shape, dtype):
    """Seconds that the reader took for all frames; the comparison is not in them."""
    seconds, n_frames, total = 0.0, 0, np.zeros(shape[1:], np.int64)
    n_bytes = shape[1] * shape[2] * dtype.itemsize
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        seconds += time.perf_counter() - start
        if batch is None:
            break
        for frame in batch:
            recorded = expected.read(n_bytes)
            if len(recorded) != n_bytes:
                sys.exit(f"error: {shape[0]} frames are expected, {n_frames} were recorded")
            wanted = np.frombuffer(recorded, dtype.newbyteorder("<")).reshape(shape[1:])
            if not np.array_equal(frame, wanted):
                y, x = np.argwhere(frame != wanted)[0]
                sys.exit(f"error: frame {n_frames}, pixel ({y}, {x}): read {frame[y, x]}, recorded {wanted[y, x]}")
            total += frame
            n_frames += 1
    if n_frames != shape[0] or expected.read(1):
        sys.exit(f"error: of {shape[0]} frames {n_frames} were read, or more were recorded")
    return seconds, n_frames, total


def check_sum(path, name, total):
    """The running sum that the writer kept must be the sum of the frames that were read."""
    import h5py

    with h5py.File(path, "r") as file:
        found = []
        file.visititems(lambda n, item: found.append(n) if n.rsplit("/", 1)[-1] == "sum" else None)
        for sum_name in found:
            if not np.array_equal(file[sum_name][()], total):
                sys.exit(f"error: {sum_name} is not the sum of {name}")


def main():
    reader, path, n_wanted = sys.argv[1:]
    name, all_frames, dtype = find_frames(path)
    shape = (min(int(n_wanted), all_frames[0]), *all_frames[1:])
    if reader == "h5dump":
        batches = with_h5dump(path, name, shape, dtype)
    else:
        batches = {"h5py": with_h5py, "tables": with_tables}[reader](path, name, shape)
    seconds, n_frames, total = compare(batches, sys.stdin.buffer, shape, dtype)
    if shape == all_frames:
        check_sum(path, name, total)
    print(json.dumps({"frames": n_frames, "seconds": seconds}))


if __name__ == "__main__":
    main()
