"""Whole files stored otherwise: `darkchunk convert`, a loop over h5py with our plugins, and h5repack, one after the other.

usage: race.py --command FILE --plugins FOLDER --folder FOLDER --jobs N --mb MB --rounds N

Each way makes a new file of the same source and proves that all pixels are equal: the command by itself, the loop by reading both
files again. h5repack compares nothing, so its output is compared here, outside of its time. Wall-clock seconds, the best of the rounds, which
take turns.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

DRLE, BITSHUFFLE = 36114, 32008
SHAPE = (1024, 1024)

CASES = {
    # Of a counting detector; of a velocity-map-imaging camera after its threshold. First the mean of the dark pixels.
    "gzip -> bitshuffle-lz4": (1.0, {"compression": "gzip", "compression_opts": 4, "shuffle": True}, "bitshuffle-lz4",
                               {"compression": BITSHUFFLE, "compression_opts": (0, 2)}, "UD=32008,1,2,0,2"),
    "bitshuffle-lz4 -> drle": (0.0, {"compression": BITSHUFFLE, "compression_opts": (0, 2)}, "drle:1",
                               {"compression": DRLE, "compression_opts": (1,)}, "UD=36114,1,1,1"),
}


def frames(n, mean):
    """Spots of a few pixels, 0.5 % of them, on counts of this mean; 16 frames, again and again."""
    import numpy as np

    rng = np.random.default_rng(1)
    spot = np.array([[80, 160, 80], [160, 400, 160], [80, 160, 80]], "i2")
    known = []
    for _ in range(min(n, 16)):
        frame = rng.poisson(mean, SHAPE).astype("i2")
        for y, x in rng.integers(0, 1021, (580, 2)):
            frame[y : y + 3, x : x + 3] += spot * rng.integers(1, 4).astype("i2")
        known.append(frame)
    yield from (known[index % len(known)] for index in range(n))


def make(path, n, mean, options):
    import h5py

    with h5py.File(path, "w") as file:
        data = file.create_dataset("entry/data/data", (n, *SHAPE), "i2", chunks=(1, *SHAPE), **options)
        for index, frame in enumerate(frames(n, mean)):
            data[index] = frame


def loop(source, target, options):
    """What people write: frame by frame, and again to compare."""
    import h5py

    with h5py.File(source) as old, h5py.File(target, "w") as new:
        data = old["entry/data/data"]
        copy = new.create_dataset("entry/data/data", data.shape, data.dtype, chunks=data.chunks, **options)
        for index in range(len(data)):
            copy[index] = data[index]
    compare(source, target)


def compare(source, target):
    import h5py
    import numpy as np

    with h5py.File(source) as old, h5py.File(target) as new:
        before, after = old["entry/data/data"], new["entry/data/data"]
        for index in range(len(before)):
            if not np.array_equal(before[index], after[index]):
                raise SystemExit(f"{target}: frame {index} is not the same")


def timed(command, environment):
    begin = time.perf_counter()
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
    return seconds


def ways(arguments, source, target, case):
    _, _, spec, _, repack = CASES[case]
    ours = [arguments.command, "convert", source, "-o", target, "--to", spec, "-j", arguments.jobs, "-q"]
    yield f"darkchunk convert -j {arguments.jobs}", ours
    yield "h5py, frame by frame", [sys.executable, __file__, "--loop", source, target, case]
    if shutil.which("h5repack"):
        yield "h5repack", ["h5repack", "-f", repack, source, target]


def race(arguments):
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, HDF5_PLUGIN_PATH=str(arguments.plugins), DARKCHUNK_PYTHON=sys.executable)
    os.environ["HDF5_PLUGIN_PATH"] = str(arguments.plugins)
    n = max(4, arguments.mb * 1_000_000 // (2 * SHAPE[0] * SHAPE[1]))
    for case, (mean, before, *_rest) in CASES.items():
        source, target = folder / "source.h5", folder / "target.h5"
        make(source, n, mean, before)
        best = {}
        for number in range(arguments.rounds):
            for name, command in ways(arguments, source, target, case):
                # It is slower by so much that once says enough.
                if name == "h5repack" and number > 0:
                    continue
                target.unlink(missing_ok=True)
                seconds = timed(command, environment)
                best[name] = min(best.get(name, seconds), seconds)
                if name == "h5repack":
                    compare(source, target)
        report(case, n, source, best)
        source.unlink()
        target.unlink(missing_ok=True)


def report(case, n, source, best):
    n_bytes = n * SHAPE[0] * SHAPE[1] * 2
    print(f"\n{case}: {n} frames, {n_bytes / 1e6:.0f} MB of pixels, {source.stat().st_size / 1e6:.0f} MB stored")
    one = best["h5py, frame by frame"]
    for name, seconds in best.items():
        print(f"  {name:28}{seconds:8.2f} s{n_bytes / seconds / 1e9:8.2f} GB/s{one / seconds:8.2f} x the loop")


def main():
    if sys.argv[1:2] == ["--loop"]:
        source, target, case = sys.argv[2:]
        return loop(source, target, CASES[case][3])
    parser = argparse.ArgumentParser()
    parser.add_argument("--command", required=True)
    parser.add_argument("--plugins", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--mb", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=3)
    return race(parser.parse_args())


if __name__ == "__main__":
    main()
