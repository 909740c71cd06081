"""The reader beside other ways to the same pixels of the same files, page cache warm.

usage: race.py --library FILE --plugins FOLDER --scratch FOLDER --json FILE [--data FOLDER] [--rounds N] [--frames N]
               [--only TEXT]

Two processes take turns, as an HDF5 has one plugin for a filter: in one h5py finds our plugins and `darkchunk` reads, in
the other h5py finds hdf5plugin's and the other packages read. Before anything is timed, all ways to a result are compared:
integers must be equal, averages agree to a millionth. The wall's clock, the best of N rounds; datasets are open.
"""

import argparse
import concurrent.futures
import ctypes
import functools
import glob
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
N_THREADS = sorted({1, 2, os.cpu_count() or 1})
PEER, OURS = "hdf5plugin 7.1.0", "darkchunk"
ROWS = 16  # of which a turn reads one after the other
BINS = 1000


class Input:
    """A dataset of a file: its name in the tables, and where its frames come from."""

    def __init__(self, key, name, filter_name, source):
        self.key, self.name, self.filter_name, self.source = key, name, filter_name, source


INPUTS = [
    Input("vmi", "0.56 % bright", "drle", None),
    Input("vmi-bslz4", "0.56 % bright", "bitshuffle-lz4", None),
    Input("eiger", "EIGER 4M uint32 (real)", "bitshuffle-lz4", ("mx/eiger4m_1frame_bslz4_uint32.h5", "entry/data/data")),
    Input("pilatus", "PILATUS 6M int32 (real)", "bitshuffle-lz4", ("mx/pilatus6m_thaumatin_3frames_int32.h5", "frames")),
    Input(
        "jungfrau",
        "JUNGFRAU photons int16 (real)",
        "bitshuffle-lz4",
        ("mx/jungfrau_module_raw_and_photons.h5", "photons_int16"),
    ),
    Input("minipix", "MiniPIX tracks 3 s int16 (real)", "drle", ("vmi/minipix_tracks_int16.h5", "exposure_3s")),
    Input("counter", "Poisson 0.3 uint32", "bitshuffle-lz4", None),
]
FILTERS = {"drle": (36114, (1,)), "bitshuffle-lz4": (32008, (0, 2))}


def generated(key, n):
    """Frames of a camera and of a counter, the same on every machine."""
    import numpy as np

    rng = np.random.default_rng(1)
    if key == "counter":
        frames = rng.poisson(0.3, (n, 1024, 1024)).astype("<u4")
        frames[:, 500:510] = 2**32 - 1  # as a gap between modules
        return frames
    shape = (4 * n, 1024, 1024)
    frames = np.zeros(shape, "<i2")
    is_bright = rng.random(shape, np.float32) < 0.0056
    frames[is_bright] = rng.integers(20, 900, np.count_nonzero(is_bright))
    return frames


def real(path, name, n):
    """`n` frames of about so many pixels as an EIGER's; the few that there are, each moved by some rows."""
    import h5py
    import numpy as np

    with h5py.File(path) as file:
        data = file[name]
        n = max(1, min(400, n * 4_500_000 // math.prod(data.shape[1:])))
        few = data[: min(n, len(data))]
    return np.stack([np.roll(few[i % len(few)], 13 * (i // len(few)), 0) for i in range(n)])


def make(path, keys, data, n):
    """The file of all inputs; with our plugins, by which all filters are known."""
    import h5py

    with h5py.File(path, "w") as file:
        for item in (item for item in INPUTS if item.key in keys):
            frames = generated(item.key, n) if item.source is None else real(data / item.source[0], item.source[1], n)
            number, values = FILTERS[item.filter_name]
            chunks = (1, *frames.shape[1:])
            file.create_dataset(item.key, data=frames, chunks=chunks, compression=number, compression_opts=values)


class Task:
    """One way to a result: `turn` gives it, after `prepare`, which is not timed. `check` gives the arrays that are compared,
    where they are not the result."""

    def __init__(self, name, item, data, by, level, threads, turn, check=None, n_bytes=None, turns=1, prepare=None):
        self.group, self.by, self.level, self.threads = (name, item.name, item.filter_name), by, level, threads
        self.turn, self.check, self.turns, self.prepare = turn, check or turn, turns, prepare or (lambda: None)
        self.n_bytes = n_bytes or data.size * data.dtype.itemsize
        self.ratio = data.size * data.dtype.itemsize / data.id.get_storage_size()

    def describe(self):
        return {
            "group": self.group,
            "by": self.by,
            "level": self.level,
            "threads": self.threads,
            "n_bytes": self.n_bytes,
            "ratio": self.ratio,
        }

    def seconds(self):
        self.prepare()
        start = time.perf_counter()
        self.turn()
        return (time.perf_counter() - start) / self.turns


@functools.cache
def memory(n_bytes):
    import numpy as np

    return np.empty(n_bytes, np.uint8)


def room(data):
    """Memory for all of a dataset, the same for all ways of a process."""
    largest = max(other.size * other.dtype.itemsize for other in data.file.values())
    return memory(largest)[: data.size * data.dtype.itemsize].view(data.dtype).reshape(data.shape)


def row_numbers(data, turn=0):
    """Other rows in each turn."""
    height = data.shape[1]
    return [(turn * 31 + i * (height // ROWS)) % height for i in range(ROWS)]


def masked(data):
    """The value that stands for no measurement, where there is one."""
    import numpy as np

    return int(np.iinfo(data.dtype).max) if data.dtype.kind == "u" else None


def plain_sum(data):
    import numpy as np

    total = np.zeros(data.shape[1:], np.int64)
    frame = np.empty(data.shape[1:], data.dtype)
    for i in range(len(data)):
        data.read_direct(frame, np.s_[i])
        total += frame
    return total


def plain_reduce(data):
    """Sum, greatest value and counts, as one writes it with numpy."""
    import numpy as np

    total, counts = np.zeros(data.shape[1:], np.int64), np.zeros(data.shape[1:], np.int64)
    greatest, frame = np.zeros(data.shape[1:], np.int64), np.empty(data.shape[1:], data.dtype)
    for i in range(len(data)):
        data.read_direct(frame, np.s_[i])
        total += frame
        np.maximum(greatest, frame, out=greatest)
        counts += frame != 0
    return total, greatest, counts


def plain_sparse(data):
    import numpy as np

    frame, ignore, found = np.empty(data.shape[1:], data.dtype), masked(data), []
    for i in range(len(data)):
        data.read_direct(frame, np.s_[i])
        flat = frame.ravel()
        indices = np.flatnonzero(flat if ignore is None else (flat != 0) & (flat != ignore)).astype(np.uint32)
        found.append((indices, flat[indices]))
    return joined(found)


def joined(found):
    import numpy as np

    return np.concatenate([part[0] for part in found]), np.concatenate([part[1] for part in found])


def h5py_tasks(item, data, by, level):
    """What h5py does, with whichever plugins."""
    out, turn = room(data), [0]

    def whole():
        data.read_direct(out)
        return (out,)

    def rows():
        turn[0] += 1
        return [data[:, row] for row in row_numbers(data, turn[0])]

    row_bytes = data.size // data.shape[1] * data.dtype.itemsize
    tasks = [Task("read all", item, data, by, level, 1, whole)]
    if item.key in ("eiger", "counter"):
        check = lambda: (data[:, 5], data[:, data.shape[1] - 1])  # noqa: E731
        tasks.append(Task("read row", item, data, by, level, 1, rows, check, row_bytes, ROWS))
    if item.key in ("vmi", "eiger", "minipix", "counter"):
        tasks.append(Task("read sparse", item, data, by, f"{level}, numpy.flatnonzero", 1, lambda: plain_sparse(data)))
        tasks.append(Task("read sum", item, data, by, f"{level}, +=", 1, lambda: (plain_sum(data),)))
        tasks.append(Task("read sum, max, count", item, data, by, f"{level}, numpy", 1, lambda: plain_reduce(data)))
    return tasks


def rings(data):
    """pyFAI's integrator in rings, which splits pixels among them, for a detector of this shape."""
    return engine(*data.shape[1:])


@functools.cache
def engine(height, width):
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    import numpy as np

    pixel = 75e-6
    detector = Detector(pixel, pixel, max_shape=(height, width))
    where = {"dist": 0.2, "poni1": 0.47 * height * pixel, "poni2": 0.51 * width * pixel, "wavelength": 1e-10}
    integrator = AzimuthalIntegrator(detector=detector, **where)
    nothing = np.zeros((height, width), np.uint32)
    integrator.integrate1d(nothing, BINS, method=("full", "csr", "cython"), correctSolidAngle=False)
    (found,) = integrator.engines.values()
    return found.engine


def ours(path, keys, options):
    """Tasks of the process with our plugins."""
    import h5py

    sys.path.insert(0, str(ROOT / "python"))
    import darkchunk._native

    darkchunk._native.path = lambda: options.library
    file = h5py.File(path)
    tasks = []
    for item in (item for item in INPUTS if item.key in keys):
        data = file[item.key]
        tasks += h5py_tasks(item, data, OURS, "plugin, h5py")
        for threads in N_THREADS:
            tasks += reader_tasks(item, data, threads)
    return tasks


def reader_tasks(item, data, threads):
    import darkchunk
    import numpy as np

    out, turn, ignore, fresh = room(data), [0], masked(data), []
    reader = darkchunk.from_h5py(data, threads=threads)
    assert reader.way == "direct", reader.reason
    index = pathlib.Path(data.file.filename).with_suffix(".blocks")
    if item.key in ("eiger", "counter") and not index.exists():
        reader.write_index(index)
        reader = darkchunk.from_h5py(data, threads=threads)

    def task(name, turn, level="reader", **more):
        return Task(name, item, data, OURS, level, threads, turn, **more)

    def whole():
        reader.read_into(out)
        return (out,)

    def others(has_index=False):
        # They do not know where this one's blocks are.
        fresh[:] = [darkchunk.from_h5py(data, threads=threads) for _ in range(ROWS)]
        for other in fresh if has_index else ():
            other.load_index(index)

    def rows(readers):
        turn[0] += 1
        return [other[:, row] for other, row in zip(readers, row_numbers(data, turn[0]), strict=True)]

    def sparse():
        found = reader.sparse(0, len(data), ignore=ignore)
        return found.indices, found.values

    def reduced():
        found = reader.reduce()
        return found.sum, found.max, found.counts.astype(np.int64)

    tasks = [task("read all", whole)]
    if item.key in ("eiger", "counter"):
        row_bytes = data.size // data.shape[1] * data.dtype.itemsize
        row = {"n_bytes": row_bytes, "turns": ROWS, "check": lambda: (reader[:, 5], reader[:, data.shape[1] - 1])}
        tasks.append(task("read row", lambda: rows(fresh), "reader, the first time", prepare=others, **row))
        tasks.append(task("read row", lambda: rows([reader] * ROWS), "reader, blocks known", **row))
        tasks.append(task("read row", lambda: rows(fresh), "reader, index in a file", prepare=lambda: others(True), **row))
        bins = darkchunk.Bins(rings(data))

        def integrated():
            found = reader.integrate(bins, ignore=ignore)
            return found.sums, found.weights

        tasks.append(task("read rings", integrated))
    if item.key in ("vmi", "eiger", "minipix", "counter"):
        tasks.append(task("read sparse", sparse))
        tasks.append(task("read sum", lambda: (reader.sum(),)))
        tasks.append(task("read sum, max, count", reduced))
    return tasks


def peers(path, keys, options):
    """Tasks of the process with hdf5plugin and the other packages."""
    import h5py
    import hdf5plugin  # noqa: F401

    file = h5py.File(path)
    tasks = []
    for item in (item for item in INPUTS if item.key in keys and item.filter_name != "drle"):
        data = file[item.key]
        tasks += h5py_tasks(item, data, PEER, "wheel, h5py")
        tasks += [direct_task(item, data, threads) for threads in N_THREADS]
        if item.key in ("eiger", "counter"):
            tasks += [sparse_task(item, data), rings_task(item, data), sparse_rings_task(item, data)]
    return tasks


def direct_task(item, data, threads):
    """What EXtra-data does for gzip and pyFAI for this filter: threads that each fetch a stored chunk through h5py and
    decode it without it. The decoder is that of the wheel of bitshuffle, which needs no lock of Python's."""
    import bitshuffle
    import numpy as np

    library = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(bitshuffle.__file__), "plugin", "libh5bshuf*.so"))[0])
    decode = library.bshuf_decompress_lz4
    decode.restype, decode.argtypes = ctypes.c_int64, [ctypes.c_void_p] * 2 + [ctypes.c_size_t] * 3
    out = room(data)
    size, n = data.dtype.itemsize, math.prod(data.shape[1:])

    def one(i):
        mask, chunk = data.id.read_direct_chunk((i, 0, 0))
        head = np.frombuffer(chunk, np.uint8)
        if mask != 0:
            raise ValueError(f"frame {i} is stored without its filter")
        block = int.from_bytes(chunk[8:12], "big") // size
        if decode(head.ctypes.data + 12, out[i].ctypes.data, n, size, block) < 0:
            raise ValueError(f"frame {i} does not decode")

    pool = concurrent.futures.ThreadPoolExecutor(threads)

    def turn():
        list(pool.map(one, range(len(data))))
        return (out,)

    return Task("read all", item, data, "threads over read_direct_chunk", "C bitshuffle 0.5.2, wheel", threads, turn)


def sparse_task(item, data):
    import bslz4_to_sparse as peer
    import numpy as np

    ignore = masked(data)
    # Its mask is an image, ours a value.
    masks = [(frame != ignore).astype(np.uint8).ravel() for frame in data]
    buffers = np.empty(masks[0].size, data.dtype), np.empty(masks[0].size, np.uint32)

    def turn():
        found = []
        for i in range(len(data)):
            n, (values, indices) = peer.bslz4_to_sparse(data, i, 0, masks[i], buffers)
            found.append((indices[:n].copy(), values[:n].copy()))
        return joined(found)

    return Task("read sparse", item, data, "bslz4_to_sparse", peer.version, 1, turn)


def rings_task(item, data):
    """What is decoded by h5py, averaged by pyFAI; as everyone here, with one thread."""
    import numpy as np

    integrator, ignore, frame = rings(data), float(masked(data)), np.empty(data.shape[1:], data.dtype)

    def turn():
        sums, weights = np.empty((len(data), BINS)), np.empty((len(data), BINS))
        for i in range(len(data)):
            data.read_direct(frame, np.s_[i])
            found = integrator.integrate_ng(frame, dummy=ignore, delta_dummy=0)
            sums[i], weights[i] = found.signal, found.normalization
        return sums, weights

    import pyFAI

    return Task("read rings", item, data, "pyFAI, h5py", pyFAI.version, 1, turn)


def sparse_rings_task(item, data):
    """bslz4_to_sparse with the matrix by columns: it decodes and adds block by block, and gives the sparse frame besides. Of
    weights it gives none: those are a second matrix times the mask, which is not timed."""
    import bslz4_to_sparse as peer
    import numpy as np
    from scipy.sparse import csr_array

    found, ignore = rings(data), masked(data)
    matrix = csr_array((found.data, found.indices, found.indptr), shape=(BINS, math.prod(data.shape[1:])))
    columns = matrix.tocsc()
    masks = [(frame != ignore).astype(np.uint8) for frame in data]
    worker = peer.chunk2sparseCSC(masks[0], columns, data.dtype)
    weights = np.stack([matrix.astype(float) @ mask.ravel().astype(float) for mask in masks])

    def turn():
        sums = np.empty((len(data), BINS))
        for i, mask in enumerate(masks):
            worker.mask = mask.ravel()
            # Pixels above the largest value are none: only the sums are wanted.
            sums[i] = worker(data.id.read_direct_chunk((i, 0, 0))[1], 2**31 - 1)[2]
        return sums, weights

    return Task("read rings", item, data, "bslz4_to_sparse, by columns", peer.version, 1, turn)


class Side:
    """A process that does turns on command."""

    def __init__(self, role, environment):
        command = [sys.executable, __file__, *sys.argv[1:], "--role", role]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        one = {"OMP_NUM_THREADS": "1", "DARKCHUNK_THREADS": "1", "DARKCHUNK_AUTO": "0"}
        self.process = subprocess.Popen(command, env=os.environ | one | environment, **pipes)
        self.tasks = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("bench read: a process failed; see above")
        return json.loads(line)

    def ask(self, what, number):
        self.process.stdin.write(f"{what} {number}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit("bench read: a process failed; see above")


def serve(options):
    import numpy as np

    path, keys = options.scratch / "frames.h5", chosen(options)
    if options.role == "make":
        make(path, keys, options.data, options.frames)
        print("[]", flush=True)
        return
    tasks = (ours if options.role == "ours" else peers)(path, keys, options)
    tasks = [task for task in tasks if options.only is None or options.only in " ".join(task.group)]
    print(json.dumps([task.describe() for task in tasks]), flush=True)
    for line in sys.stdin:
        what, number = line.split()
        task = tasks[int(number)]
        if what == "check":
            np.savez(options.scratch / f"{options.role}.npz", *task.check())
        print(json.dumps(task.seconds() if what == "turn" else None), flush=True)


def chosen(options):
    """The inputs that are there: real frames where they are, a counter's in the place of the EIGER's."""
    is_there = lambda item: options.data and (options.data / item.source[0]).exists()  # noqa: E731
    keys = [item.key for item in INPUTS if item.source is None or is_there(item)]
    return [key for key in keys if key != "counter" or "eiger" not in keys]


def check(group, members, scratch):
    """All ways of a group give the same."""
    import numpy as np

    expected = None
    for side, number, task in members:
        side.ask("check", number)
        path = scratch / f"{side.role}.npz"
        with np.load(path) as found:
            arrays = [found[name] for name in found.files]
        path.unlink()
        if expected is None:
            expected = arrays
            continue
        for one, other in zip(expected, arrays, strict=True):
            is_equal = np.allclose(one, other, 1e-6, 1e-6) if one.dtype.kind == "f" else np.array_equal(one, other)
            if not is_equal:
                raise SystemExit(f"{group}: {task['by']}, {task['level']} gives another result")


def measure(group, members, options):
    check(group, members, options.scratch)
    seconds = {index: [] for index in range(len(members))}
    for _ in range(options.rounds):
        for index, (side, number, _) in enumerate(members):
            seconds[index].append(side.ask("turn", number))
    rows = []
    for index, (_, _, task) in enumerate(members):
        best, median = min(seconds[index]), statistics.median(seconds[index])
        name, item, filter_name = group
        row = {"name": f"{name} {filter_name}", "input": item, "gb_per_s": task["n_bytes"] / best / 1e9}
        row |= {key: task[key] for key in ("by", "level", "threads", "ratio")}
        rows.append(row | {"gb_per_s_median": task["n_bytes"] / median / 1e9})
        print(
            f"{name + ', ' + filter_name:38} {item:32} {task['by'] + ', ' + task['level']:52} {task['threads']:2}"
            f" {best * 1e3:9.2f} ms {row['gb_per_s']:8.2f} GB/s",
            flush=True,
        )
    return rows


def race(options):
    options.scratch.mkdir(parents=True, exist_ok=True)
    plugins = {"HDF5_PLUGIN_PATH": str(options.plugins)}
    Side("make", plugins).close()
    sides = [Side("ours", plugins), Side("peers", {"HDF5_PLUGIN_PATH": ""})]
    sides[0].role, sides[1].role = "ours", "peers"
    groups = {}
    for side in sides:
        for number, task in enumerate(side.tasks):
            groups.setdefault(tuple(task["group"]), []).append((side, number, task))
    rows = [row for group, members in groups.items() for row in measure(group, members, options)]
    for side in sides:
        side.close()
    options.json.write_text(json.dumps(rows, indent=1))


def main():
    parser = argparse.ArgumentParser()
    for name in ("--library", "--plugins", "--scratch", "--json"):
        parser.add_argument(name, required=True, type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--only")
    parser.add_argument("--role")
    options = parser.parse_args()
    (serve if options.role else race)(options)


main()
