"""What others do with the same frames: `others.py SECONDS FOLDER FRAMES.raw`. Prints a line of JSON for each way.

FRAMES.raw is what `ours.rs` writes: the dark image, then 64 frames of 1024 x 1024 int16. Each way subtracts the dark image, applies the
threshold and sums up, with numpy; the best of some turns counts.

  areaDetector's way   in float64, converted back, one copy, the bitshuffle package, h5py's write_direct_chunk
  direct chunks        in int16, the bitshuffle package, h5py's write_direct_chunk
  ... one by one       the same, and 14 columns of metadata that get one value with each frame
  H5Dwrite             in int16, and h5py's filters: none, gzip 1, bitshuffle-LZ4 of hdf5plugin
"""

import json
import sys
import time
from pathlib import Path

import bitshuffle
import h5py
import hdf5plugin
import numpy as np

SHAPE = (1024, 1024)
N_COLUMNS = 14
ROUNDS = 3


def corrected(frame, case, sum):
    difference = np.subtract(frame, case.dark, dtype=sum.dtype if sum.dtype == "f8" else "i2")
    difference[difference < case.threshold] = 0
    np.add(sum, difference, out=sum)
    return difference


def direct(file, case, n_columns=0, as_float=False):
    stored = file.create_dataset(
        "data", (0, *SHAPE), "i2", maxshape=(None, *SHAPE), chunks=(1, *SHAPE), **hdf5plugin.Bitshuffle()
    )
    columns = [file.create_dataset(f"c{i}", (0,), "f8", maxshape=(None,), chunks=(1024,)) for i in range(n_columns)]
    sum = np.zeros(SHAPE, "f8" if as_float else "i4")

    def push(n, frame):
        pixels = corrected(frame, case, sum)
        if as_float:
            pixels = pixels.astype("i2").copy()
        chunk = bitshuffle.compress_lz4(pixels)
        header = np.array([pixels.nbytes], ">u8").tobytes() + np.array([8192], ">u4").tobytes()
        stored.resize(n + 1, axis=0)
        stored.id.write_direct_chunk((n, 0, 0), header + chunk.tobytes())
        for column in columns:
            column.resize(n + 1, axis=0)
            column[n] = n

    return timed(file, case, push)


def plain(file, case, **filters):
    stored = file.create_dataset("data", (0, *SHAPE), "i2", maxshape=(None, *SHAPE), chunks=(1, *SHAPE), **filters)
    sum = np.zeros(SHAPE, "i4")

    def push(n, frame):
        pixels = corrected(frame, case, sum)
        stored.resize(n + 1, axis=0)
        stored[n] = pixels

    return timed(file, case, push)


def timed(file, case, push):
    start, cpu, n = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < case.seconds:
        push(n, case.frames[n % len(case.frames)])
        n += 1
    file.flush()
    return (time.perf_counter() - start) / n, (time.process_time() - cpu) / n


class Case:
    """Frames, dark image and threshold, and how long a turn takes."""

    def __init__(self, seconds, raw):
        self.seconds = seconds
        pixels = np.fromfile(raw, "<i2").reshape(-1, *SHAPE)
        self.dark, self.frames = pixels[0], pixels[1:]
        self.threshold = int(raw.with_suffix(".threshold").read_text())


def main():
    case, path = Case(float(sys.argv[1]), Path(sys.argv[3])), Path(sys.argv[2]) / "others.h5"
    ways = {
        "areaDetector's way: float64, copies, bitshuffle-LZ4": lambda f: direct(f, case, 0, True),
        "h5py write_direct_chunk, bitshuffle-LZ4": lambda f: direct(f, case),
        f"the same, {N_COLUMNS} columns one by one": lambda f: direct(f, case, N_COLUMNS),
        "H5Dwrite, no filter": lambda f: plain(f, case),
        "H5Dwrite, gzip 1": lambda f: plain(f, case, compression="gzip", compression_opts=1),
        "H5Dwrite, hdf5plugin bitshuffle-LZ4": lambda f: plain(f, case, **hdf5plugin.Bitshuffle()),
    }
    for name, way in ways.items():
        turns = []
        for _ in range(ROUNDS):
            with h5py.File(path, "w") as file:
                turns.append(way(file))
            path.unlink()
        wall, cpu = min(turns)
        print(json.dumps({"name": name, "frames_per_s": 1 / wall, "cpu_us": 1e6 * cpu}), flush=True)


main()
