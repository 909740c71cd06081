"""Through HDF5: h5py writes and reads the same frames with our plugins and with hdf5plugin's.

usage: through_h5py.py --frames FOLDER --plugins FOLDER --scratch FOLDER --rounds N --json FILE

Processes with our plugins (found through HDF5_PLUGIN_PATH alone) and with hdf5plugin, each told to use one thread or two, take
turns: a disturbance of the machine hits all. A turn writes all frames to a new file, or reads them all; every file is read
back and compared once. One frame a chunk, files in memory (tmpfs) where there is one, so that no disk is measured. One thread
is timed in processor time (what others take of the machine is not in it), two by the wall's clock.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

DRLE, BITSHUFFLE, BLOSC, LZ4, ZSTD = 36114, 32008, 32001, 32004, 32015
BLOSC2 = 32026

PEER = "hdf5plugin 7.1.0"

# Who reads what of the number of threads: ours, bitshuffle and the Blosc of hdf5plugin.
THREADS = ("DARKCHUNK_THREADS", "OMP_NUM_THREADS", "BLOSC_NTHREADS")

# What neither side does with more than one.
NOT_THREADED = ("lz4", "zstd-1")


def filters(role: str, threshold: int) -> dict:
    """Name: (filter id, cd_values). The same numbers go to both sides: they are the formats' own."""
    common = {
        "none": None,
        "bitshuffle-lz4": (BITSHUFFLE, (0, 2)),
        "bitshuffle-zstd-1": (BITSHUFFLE, (0, 3, 1)),
        "blosc-shuffle-lz4": (BLOSC, (0, 0, 0, 0, 5, 1, 1)),
        "blosc-bitshuffle-lz4": (BLOSC, (0, 0, 0, 0, 5, 2, 1)),
        "lz4": (LZ4, (0,)),
        "zstd-1": (ZSTD, (1,)),
    }
    if role == "ours":
        return common | {"drle": (DRLE, (threshold,))}
    return common | {"blosc2-shuffle-lz4": (BLOSC2, (0, 0, 0, 0, 5, 1, 1))}


class Worker:
    """One side: does turns on command. Runs in its own process."""

    def __init__(self, role: str, n_threads: int, frames_file: str, threshold: int, scratch: str):
        import h5py
        import numpy

        if role == "hdf5plugin":
            import hdf5plugin  # noqa: F401
        self.h5py, self.numpy = h5py, numpy
        self.frames = numpy.fromfile(frames_file, dtype="<i2").reshape(-1, 1024, 1024)
        self.filters = filters(role, threshold)
        self.clock = time.process_time if n_threads == 1 else time.perf_counter
        self.scratch = pathlib.Path(scratch) / f"{role}-{n_threads}"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.frame = numpy.empty_like(self.frames[0])

    def write(self, name: str) -> float:
        path = self.scratch / f"{name}.h5"
        path.unlink(missing_ok=True)
        options = {"chunks": self.frames[:1].shape}
        if self.filters[name]:
            options["compression"], options["compression_opts"] = self.filters[name]
        start = self.clock()
        with self.h5py.File(path, "w") as file:
            data = file.create_dataset("frames", self.frames.shape, self.frames.dtype, **options)
            for i, frame in enumerate(self.frames):
                data[i] = frame
        return self.clock() - start

    def read(self, name: str) -> float:
        start = self.clock()
        with self.h5py.File(self.scratch / f"{name}.h5") as file:
            data = file["frames"]
            for i in range(len(data)):
                data.read_direct(self.frame, self.numpy.s_[i])
        return self.clock() - start

    def check(self, name: str) -> int:
        """Compares every frame; the stored bytes."""
        with self.h5py.File(self.scratch / f"{name}.h5") as file:
            data = file["frames"]
            for i, expected in enumerate(self.frames):
                if not self.numpy.array_equal(data[i], expected):
                    raise SystemExit(f"{name}: frame {i} differs")
            return data.id.get_storage_size()

    def serve(self) -> None:
        for line in sys.stdin:
            what, name = line.split()
            print(json.dumps(getattr(self, what)(name)), flush=True)


class Side:
    """The other end of a worker."""

    def __init__(self, role: str, n_threads: int, arguments: list, environment: dict):
        command = [sys.executable, __file__, "--worker", role, str(n_threads), *map(str, arguments)]
        environment = environment | dict.fromkeys(THREADS, str(n_threads))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=os.environ | environment, **pipes)

    def ask(self, what: str, name: str):
        self.process.stdin.write(f"{what} {name}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"through h5py: {what} {name} failed; see above")
        return json.loads(answer)

    def close(self) -> None:
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit("through h5py: a worker failed")


def measure(entry: dict, folder: pathlib.Path, options: argparse.Namespace) -> list:
    """All rows of one input."""
    arguments = [folder / entry["file"], entry["threshold"], options.scratch]
    roles = {"darkchunk": ("ours", {"HDF5_PLUGIN_PATH": options.plugins}), PEER: ("hdf5plugin", {})}
    sides = {
        (by, n): (Side(role, n, arguments, environment), role) for n in (1, 2) for by, (role, environment) in roles.items()
    }
    turns = [
        (by, side, name)
        for by, (side, role) in sides.items()
        for name in filters(role, entry["threshold"])
        if by[1] == 1 or name not in NOT_THREADED
    ]
    turns.sort(key=lambda turn: turn[2])  # both sides of a filter follow each other
    seconds, stored = {}, {}
    for by, side, name in turns:
        side.ask("write", name)
        stored[by, name] = side.ask("check", name)
    for _ in range(options.rounds):
        for by, side, name in turns:
            for what in ("write", "read"):
                seconds.setdefault((what, name, by), []).append(side.ask(what, name))
    for side, _ in sides.values():
        side.close()
    n_bytes = (folder / entry["file"]).stat().st_size
    return [row(entry["name"], key, seconds, n_bytes, n_bytes / stored[key[2], key[1]]) for key in seconds]


def row(input_name: str, key: tuple, seconds: dict, n_bytes: int, ratio: float) -> dict:
    what, name, (by, n_threads) = key
    best = {other: n_bytes / min(times) / 1e9 for other, times in seconds.items()}
    peers = {other: speed for other, speed in best.items() if other[0] == what and other[2] == (PEER, n_threads)}
    # The same filter of the peer; for what it does not have, its fastest.
    same = {other: speed for other, speed in peers.items() if other[1] == name}
    filtered = {other: speed for other, speed in peers.items() if other[1] != "none"}
    peer = max(same or filtered, key=(same or filtered).get) if by == "darkchunk" and name != "none" else None
    limit = (what, "none", (by, n_threads))
    return {
        "section": "hdf5",
        "name": f"h5py {what} {name}",
        "input": input_name,
        "by": by,
        "level": "best" if by == "darkchunk" else "wheel",
        "threads": n_threads,
        "gb_per_s": best[key],
        "gb_per_s_median": n_bytes / statistics.median(seconds[key]) / 1e9,
        "ratio": ratio,
        "peer": f"{PEER}, {peer[1]}" if peer else None,
        "vs_peer": best[key] / peers[peer] if peer else None,
        "vs_peer_median": paired(seconds[key], seconds[peer]) if peer else None,
        "limit": f"h5py {what} without a filter",
        "vs_limit": best[key] / best[limit],
        "vs_limit_median": paired(seconds[key], seconds[limit]),
    }


def paired(ours: list, theirs: list) -> float:
    return statistics.median(b / a for a, b in zip(ours, theirs))


def main() -> None:
    if sys.argv[1] == "--worker":
        role, n_threads, frames, threshold, scratch = sys.argv[2:]
        Worker(role, int(n_threads), frames, int(threshold), scratch).serve()
        return
    parser = argparse.ArgumentParser()
    for name in ("--frames", "--plugins", "--scratch", "--json"):
        parser.add_argument(name, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    folder = pathlib.Path(options.frames)
    rows = []
    for entry in json.loads((folder / "index.json").read_text()):
        rows += measure(entry, folder, options)
    pathlib.Path(options.json).write_text(json.dumps(rows, indent=1))


main()
