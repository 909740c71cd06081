"""How fast `darkchunk compare` is: each of its metrics on one core, the whole command, and numpy with the same sums.

usage: race.py --command FILE --numbers FILE --folder FOLDER [--mb MB] [--rounds N]

Speeds are bytes of the reference a second; as many of the test are read, too. Each metric: the least time of many turns over frames in the
cache. The command: wall-clock time with two files in memory, the best of the rounds, which take turns with numpy.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SHAPE = (1024, 1024)


def frames(n):
    generator = np.random.default_rng(1)
    known = generator.poisson(9000 * np.exp(-np.linspace(0, 1, SHAPE[1])), (min(n, 8), *SHAPE)).astype("u2")
    x = known[np.arange(n) % len(known)]
    return x, x // 64 * 64 + 32


def sums(x, y):
    """Moments, maxima, zeros, flux and bias by intensity: in int64, as one would write it."""
    x, y = x.astype("i8"), y.astype("i8")
    e = y - x
    magnitude = abs(e)
    found = [x.sum(), e.sum(), (x * x).sum(), (x * e).sum(), (e * e).sum(), x.min(), x.max(), y.min(), y.max()]
    found += [magnitude.max(), (e != 0).sum(), ((x == 0) & (y != 0)).sum(), ((x != 0) & (y == 0)).sum()]
    bins = (8 * np.log2(np.maximum(x, 1))).astype("i8")
    return found, [np.bincount(bins.ravel(), weights.ravel()) for weights in (np.ones_like(e), e, e * e)]


def in_sigma(x, y):
    """The largest error in sigma, noise inflation and a histogram."""
    ratio = (y.astype("f8") - x) / np.sqrt(np.maximum(x, 1))
    return abs(ratio).max(), np.sqrt(1 + (ratio**2).mean()), np.histogram(ratio, 4096, (-32, 32))


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def store(path, data):
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data)


def race(arguments):
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    x, y = frames(arguments.mb * 1_000_000 // (2 * SHAPE[0] * SHAPE[1]))
    store(folder / "x.h5", x)
    store(folder / "y.h5", y)
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)

    def command(jobs, *more):
        words = [arguments.command, "compare", folder / "x.h5", folder / "y.h5", "-q", "-j", jobs, *more]
        done = subprocess.run([str(word) for word in words], env=environment, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise SystemExit(done.stderr)

    few = slice(0, 8)
    ways = {
        "darkchunk compare -j 1": (x.nbytes, lambda: command(1)),
        "darkchunk compare -j 2": (x.nbytes, lambda: command(2)),
        "darkchunk compare -j 2 --noise none": (x.nbytes, lambda: command(2, "--noise", "none")),
        "numpy: moments, maxima, zeros, flux, bias": (x[few].nbytes, lambda: [sums(*pair) for pair in zip(x[few], y[few])]),
        "numpy: errors in sigma": (x[few].nbytes, lambda: [in_sigma(*pair) for pair in zip(x[few], y[few])]),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(arguments.rounds):
        for name, (_, work) in ways.items():
            best[name] = min(best[name], timed(work))
    print(f"\n{len(x)} frames of 1024 x 1024, uint16, every pixel changed\n")
    for name, (n_bytes, _) in ways.items():
        print(f"  {name:44}{n_bytes / best[name] / 1e9:8.3f} GB/s")


def metrics(program):
    lines = subprocess.run([program, "speed"], check=True, capture_output=True, text=True).stdout.splitlines()
    data = None
    for line in lines:
        of, metric, speed = line.split("|")
        if of != data:
            print(f"\n{of}\n")
            data = of
        print(f"  {metric:44}{float(speed):8.3f} GB/s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--command", required=True)
    parser.add_argument("--numbers", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--mb", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    metrics(arguments.numbers)
    race(arguments)


if __name__ == "__main__":
    main()
