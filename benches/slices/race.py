"""All sinograms of a stack of projections: `darkchunk slices`, and what else reads them from the same files.

usage: race.py --command FILE --plugins FOLDER --library FILE --folder FOLDER [--mb MB] [--rounds N] [--record FILE]

The set is Diamond's of 2012, [4000, 2600, 6000] as (angle, y, x) = (6000, 2600, 4000), made smaller along all axes; uint16, bitshuffle and LZ4; in frames, in (8, 16, x)
and in (16, 16, x). Each way reads each pixel of each sinogram once more, in memory, by an exclusive or of 64 bits; what comes out must be
the same for all. A way that needs too long is stopped after some sinograms: its rate is that of these. Files are in memory, if `folder` is.

GB/s of pixels, the best of the rounds, which take turns. Beside them the limits: how fast one thread decodes these chunks in memory, and how
fast it copies memory.
"""

import argparse
import ctypes
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np

BITSHUFFLE, SLAB = 32008, 16
# A way ends after the sinogram, or slab, in which so many seconds are over.
SECONDS = 10
HEADERS = Path(__file__).resolve().parents[2] / "ffi" / "include"


def shape(mb):
    """As large as that, with the proportions of the set, and rows of whole 64-byte lines."""
    scale = (mb * 1e6 / (6000 * 2600 * 4000 * 2)) ** (1 / 3)
    return [max(unit, round(n * scale / unit) * unit) for n, unit in ((6000, 16), (2600, 16), (4000, 32))]


def make(path, dims, chunk):
    """Flat fields of 4000 counts with shadows that turn, and their noise."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 60, (17, dims[1], dims[2])).astype("f4")
    y, x = np.mgrid[: dims[1], : dims[2]].astype("f4")
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", dims, "<u2", chunks=chunk, compression=BITSHUFFLE, compression_opts=(0, 2))
        for first in range(0, dims[0], SLAB):
            frames = []
            for angle in range(first, min(first + SLAB, dims[0])):
                middle = dims[2] * (0.5 + 0.2 * np.cos(np.pi * angle / dims[0]))
                shadow = 4000 - 2500 * np.exp(-(((x - middle) / dims[2] * 6) ** 2) - ((y / dims[1] - 0.5) * 3) ** 2)
                frames.append(shadow + noise[angle % 17])
            data[first : first + SLAB] = np.stack(frames).astype("u2")


def xor(sinogram):
    return int(np.bitwise_xor.reduce(sinogram.reshape(-1).view("u8")))


def ours(arguments, path, jobs, n_bytes):
    """Once for the result, with the counters; the time is the library's."""
    to = path.with_name("out.h5")
    to.unlink(missing_ok=True)
    memory = max(120, n_bytes * 2 // 5_000_000)
    command = [arguments.command, "slices", "run", path, "-l", path.with_name("xor.so"), "-o", to, "-j", jobs, "--memory", memory]
    done = subprocess.run([str(part) for part in [*command, "--json"]], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    summary, own = next(line for line in lines if "done" in line), next(line for line in lines if "seconds" in line)
    with h5py.File(to) as file:
        return own["seconds"], file["xor"][:].tolist(), summary["inputs"][0]["decoded_bytes"] / n_bytes


def by_rows(path):
    found, begin = [], time.perf_counter()
    with h5py.File(path) as file:
        data = file["data"]
        for row in range(data.shape[1]):
            found.append(xor(data[:, row]))
            if time.perf_counter() - begin > SECONDS:
                break
        return time.perf_counter() - begin, found, touched(data, 1)


def slab(path, first):
    with h5py.File(path) as file:
        rows = file["data"][:, first : first + SLAB]
        return [xor(np.ascontiguousarray(rows[:, row])) for row in range(rows.shape[1])]


def by_slabs(path):
    found, begin = [], time.perf_counter()
    with h5py.File(path) as file:
        data = file["data"]
        n_rows, times = data.shape[1], touched(data, SLAB)
    for first in range(0, n_rows, SLAB):
        found += slab(path, first)
        if time.perf_counter() - begin > SECONDS:
            break
    return time.perf_counter() - begin, found, times


def by_processes(path, jobs):
    with h5py.File(path) as file:
        n_rows, times = file["data"].shape[1], touched(file["data"], SLAB)
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        pool.starmap(slab, [(path, 0)] * jobs, chunksize=1)
        found, begin, firsts = [], time.perf_counter(), list(range(0, n_rows, SLAB))
        while firsts and time.perf_counter() - begin < SECONDS:
            now, firsts = firsts[: 2 * jobs], firsts[2 * jobs :]
            found += sum(pool.starmap(slab, [(path, first) for first in now], chunksize=1), [])
        return time.perf_counter() - begin, found, times


def touched(data, height):
    """How often a byte is decoded where so many rows are read at a time, without a cache that holds a slab's chunks."""
    return -(-data.chunks[1] // height) if data.chunks[1] > height else 1


class Filter(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint32), ("values", ctypes.POINTER(ctypes.c_uint32)), ("n_values", ctypes.c_size_t)]


def codec(library, path):
    """Bytes a second that one thread decodes of the chunks in memory."""
    decode = ctypes.CDLL(str(library)).dc_decode_pipeline
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    decode.argtypes = [ctypes.POINTER(Filter), size, ctypes.c_uint32, pointer, size, pointer, size]
    with h5py.File(path) as file:
        data = file["data"]
        number, _, values, _ = data.id.get_create_plist().get_filter(0)
        n_chunks = min(data.id.get_num_chunks(), 400)
        chunks = [data.id.read_direct_chunk(data.id.get_chunk_info(i).chunk_offset)[1] for i in range(n_chunks)]
        out = np.empty(int(np.prod(data.chunks)), "u2")
    of = Filter(number, (ctypes.c_uint32 * len(values))(*values), len(values))
    begin = time.perf_counter()
    for chunk in chunks:
        if decode(of, 1, 0, chunk, len(chunk), out.ctypes.data, out.nbytes) != 0:
            raise SystemExit("a chunk does not decode")
    return out.nbytes * len(chunks) / (time.perf_counter() - begin)


def memory(n_bytes=200_000_000):
    a, b = np.ones(n_bytes, "u1"), np.ones(n_bytes, "u1")
    begin = time.perf_counter()
    np.copyto(b, a)
    return n_bytes / (time.perf_counter() - begin)


def race(arguments, path, dims):
    """Of each way the best rate, and how often it decodes."""
    n_bytes = 2 * int(np.prod(dims))
    ways = {
        "slices -j 1": lambda: ours(arguments, path, 1, n_bytes),
        "slices -j 2": lambda: ours(arguments, path, 2, n_bytes),
        "h5py, row by row": lambda: by_rows(path),
        "h5py, slabs of 16": lambda: by_slabs(path),
        "2 processes, slabs of 16": lambda: by_processes(path, 2),
    }
    best, expected = {}, None
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            seconds, found, times = way()
            expected = expected or found
            if found != expected[: len(found)]:
                raise SystemExit(f"{name}: other pixels")
            rate = n_bytes / dims[1] * len(found) / seconds
            best[name] = max(best.get(name, (0, 0)), (rate, times))
        for name, rate in (("codec, one thread", codec(arguments.library, path)), ("memory, copied", memory())):
            best[name] = max(best.get(name, (0, 0)), (rate, 1))
    return best


def table(found):
    names = list(next(iter(found.values())))
    lines = ["| all sinograms, GB/s of pixels (bytes decoded) | " + " | ".join(found) + " |", "|---|" + "---:|" * len(found)]
    for name in names:
        cells = (f"{of[name][0] / 1e9:.3g} ({of[name][1]:.3g} x)" for of in found.values())
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    for name in ("command", "plugins", "library", "folder"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--mb", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", type=Path)
    arguments = parser.parse_args()
    os.environ |= {"HDF5_PLUGIN_PATH": str(arguments.plugins), "DARKCHUNK_PYTHON": sys.executable}
    arguments.folder.mkdir(parents=True, exist_ok=True)
    source, library = Path(__file__).with_name("xor.c"), arguments.folder / "xor.so"
    subprocess.run(["gcc", "-O3", "-shared", "-fPIC", f"-I{HEADERS}", "-o", library, source], check=True)
    dims, found = shape(arguments.mb), {}
    print(f"{dims} uint16, {2 * np.prod(dims) / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}", flush=True)
    for chunk in ((1, dims[1], dims[2]), (8, 16, dims[2]), (16, 16, dims[2])):
        path = arguments.folder / "set.h5"
        make(path, dims, chunk)
        if chunk[0] == 1:
            subprocess.run([str(arguments.command), "slices", "index", f"{path}:/data", "-q"], check=True)
        name = f"({', '.join(map(str, chunk[:2]))}, x)" if chunk[0] > 1 else "frames, with an index"
        found[name] = race(arguments, path, dims)
        for each, (rate, times) in found[name].items():
            print(f"{name}: {each}: {rate / 1e9:.3g} GB/s, {times:.3g} x", flush=True)
        for left in arguments.folder.glob("set.h5*"):
            left.unlink()
    text = table(found)
    print(f"\n{text}")
    if arguments.record:
        arguments.record.write_text(text)


if __name__ == "__main__":
    main()
